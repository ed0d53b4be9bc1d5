package iris

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"icm/agent/host"
	"icm/internal/hint"
)

// AgentCommand builds the command line of an ISCAgent kit's installer, which
// lies in dir.
func AgentCommand(dir, platform string) host.Command {
	return host.Command{Path: "/bin/sh", Args: []string{"-c", "umask 022 && exec ./agentinstall"}, Dir: dir,
		Env: appendSet([]string{"ISC_PACKAGE_MODE=unattended"}, "ISC_PACKAGE_PLATFORM", platform)}
}

// InstallAgent runs the installer of an ISCAgent kit. line gets its output.
func (n *Node) InstallAgent(ctx context.Context, dir, platform string, line func(string)) error {
	return n.runInstaller(ctx, "the ISCAgent", AgentCommand(dir, platform), line)
}

// runInstaller runs an installer that must end well and say so.
func (n *Node) runInstaller(ctx context.Context, what string, c host.Command, line func(string)) error {
	unlock, err := n.lockInstaller()
	if err != nil {
		return err
	}
	defer unlock()
	succeeded := false
	c.Line = func(s string) {
		succeeded = succeeded || strings.TrimSpace(s) == successLine
		line(s)
	}
	out, err := n.run(ctx, c)
	if err == nil && !succeeded {
		err = fmt.Errorf("the installer ended without saying %q", successLine)
	}
	if err == nil {
		return nil
	}
	return &hint.Error{
		Err:  fmt.Errorf("cannot install %s: %v; the installer said: %s", what, plain(err), lastLines(out.Stdout+"\n"+out.Stderr, 3)),
		Hint: "the task's log has everything the installer said",
	}
}

// UntilAgent waits until the node's own ISCAgent answers.
func (n *Node) UntilAgent(ctx context.Context, port string, w Wait) error {
	return n.until(ctx, w, "the ISCAgent to answer on port "+port, func(ctx context.Context) (bool, string, error) {
		d := net.Dialer{Timeout: 5 * time.Second}
		c, err := d.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			return false, err.Error(), nil
		}
		return true, "", c.Close()
	})
}
