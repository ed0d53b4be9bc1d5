package iris

import (
	"context"
	"fmt"
	"path/filepath"

	"icm/agent/host"
	"icm/agent/webgateway"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/kitname"
)

// gatewayUnattended is the first version whose installer of the Web Gateway
// takes its mode from the environment; those before are told with a word.
const gatewayUnattended = "2020.1"

// GatewayCommand builds the command line of a Web Gateway kit's installer; the
// kit lies in kitDir. No server is named: which ones there are is configured
// afterwards, and changes.
func GatewayCommand(a kind.Gateway, kitDir, dir string, web webgateway.Apache) host.Command {
	word := ""
	if kitname.Compare(a.Version, gatewayUnattended) < 0 {
		word = " quiet"
	}
	env := []string{
		"ISC_PACKAGE_MODE=unattended",
		"ISC_PACKAGE_WEB_CONFIGURE=Y", "ISC_PACKAGE_WEB_SERVERTYPE=Apache",
		"ISC_PACKAGE_WEB_GATEWAY_DIR=" + dir,
		"ISC_PACKAGE_WEB_APACHE_CONF=" + web.Conf, "ISC_PACKAGE_WEB_APACHE_USER=" + web.User,
	}
	return host.Command{Path: "/bin/sh", Args: []string{"-c", "umask 022 && exec ./GatewayInstall" + word},
		Dir: filepath.Join(kitDir, "install"), Env: appendSet(env, "ISC_PACKAGE_PLATFORM", a.Kit.Platform)}
}

// InstallGateway runs the installer of a Web Gateway kit. line gets its output.
// What it says last has changed over time: the caller looks for what it brings.
func (n *Node) InstallGateway(ctx context.Context, c host.Command, line func(string)) error {
	unlock, err := n.lockInstaller()
	if err != nil {
		return err
	}
	defer unlock()
	c.Line = line
	out, err := n.run(ctx, c)
	if err == nil {
		return nil
	}
	return &hint.Error{
		Err:  fmt.Errorf("cannot install the Web Gateway: %v; the installer said: %s", plain(err), lastLines(out.Stdout+"\n"+out.Stderr, 3)),
		Hint: "the task's log has everything the installer said",
	}
}

// UntilPage waits until the node's web server answers for a page as it should.
func (n *Node) UntilPage(ctx context.Context, a kind.GatewayPage, w Wait) error {
	return n.until(ctx, w, "the page "+a.Path, func(ctx context.Context) (bool, string, error) {
		if err := webgateway.Answers(ctx, a); err != nil {
			return false, err.Error(), nil
		}
		return true, "", nil
	})
}
