package iris

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"icm/internal/secret"
	"icm/internal/wire"
)

var userName = regexp.MustCompile(`^[A-Za-z_%][A-Za-z0-9_.@-]{0,127}$`)

// CheckUser refuses what is no name of an account, before it gets into code.
func CheckUser(name string) error {
	if !userName.MatchString(name) {
		return fmt.Errorf("cannot use %q as the name of an account", name)
	}
	return nil
}

// setPassword gives an account a password that it need not change and that
// does not expire: a program signs on with it.
func setPassword(user string, password secret.Secret) string {
	return "kill new\n" + fmt.Sprintf("set new(\"Password\")=%s,new(\"ChangePassword\")=0,new(\"PasswordNeverExpires\")=1,new(\"Enabled\")=1\n", quote(password.Reveal())) +
		fmt.Sprintf("set sc=##class(Security.Users).Modify(%s,.new)\nkill new", quote(user))
}

// SetPassword gives an account of the instance a password. It goes to the
// session's standard input.
func (n *Node) SetPassword(ctx context.Context, in wire.Instance, user string, password secret.Secret) error {
	if strings.ContainsAny(password.Reveal(), "\r\n\t\\ ") {
		return fmt.Errorf("cannot set the password of %s: IRIS takes none with a space, a tab, a line end or a backslash", user)
	}
	err := n.Execute(ctx, in, "set the password of "+user, setPassword(user, password))
	if err != nil && strings.Contains(err.Error(), password.Reveal()) {
		// The instance quoted the line it did not understand.
		return fmt.Errorf("cannot set the password of %s: %s did not take it; what it said holds the password and is left out", user, in.Name)
	}
	return err
}
