package node

import (
	"context"
	_ "embed" // setup.sh
	"os"
	"path/filepath"
	"strings"

	"icm/internal/atomicfile"
	"icm/plugins/lab/internal/command"
)

//go:embed setup.sh
var setupScript []byte

// setup makes the user, with programs of the node's own system: they know its
// files. The password goes through standard input.
func (n *Node) setup(ctx context.Context, access Access) error {
	power, err := n.takePower()
	if err != nil {
		return err
	}
	defer power.Close()
	group, err := n.group()
	if err != nil {
		return err
	}
	if err := group.Create(); err != nil {
		return err
	}
	script := filepath.Join(n.Dir, "setup.sh")
	if err := atomicfile.Write(script, setupScript, 0o700); err != nil {
		return err
	}
	c := command.New("sh", script)
	c.Env = n.setupEnv(access, group.Dirs())
	c.Files = []*os.File{power}
	if !access.Password.Empty() {
		c.Stdin = strings.NewReader(n.User + ":" + access.Password.Reveal() + "\n")
	}
	_, err = c.Run(ctx)
	return err
}

func (n *Node) setupEnv(access Access, groups []string) []string {
	root, password := n.root(), "no"
	if !access.Password.Empty() {
		password = "yes"
	}
	return []string{
		"LAB_GROUPS=" + strings.Join(groups, " "),
		"LAB_ROOT=" + root.Dir, "LAB_LOWER=" + root.Lower, "LAB_UPPER=" + root.Upper, "LAB_WORK=" + root.Work,
		"LAB_USER=" + n.User, "LAB_HOME=" + n.Home,
		"LAB_KEY=" + access.PublicKey, "LAB_PASSWORD=" + password,
	}
}
