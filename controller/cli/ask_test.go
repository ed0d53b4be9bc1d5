package cli

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestThePasswordComesFromWhereItWasGiven(t *testing.T) {
	for _, row := range []struct {
		name, in, env string
		args, answers []string
		want          string // what it begins with; "" when the command fails
		says          string
	}{
		{name: "option", args: []string{"-iscPassword", "from-option"}, env: "x", want: "from-option"},
		{name: "file", args: []string{"-iscPasswordFile", "pw"}, env: "x", want: "from-file"},
		{name: "standard input", args: []string{"-iscPasswordFile", "-"}, in: "from-stdin\r\nnot this\n", want: "from-stdin"},
		{name: "no newline", args: []string{"-iscPasswordFile", "-"}, in: "from-stdin", want: "from-stdin"},
		{name: "environment", env: "from-environment", want: "from-environment"},
		{name: "terminal", answers: []string{"from-terminal", "from-terminal"}, want: "from-terminal"},
		{name: "terminal, twice different", answers: []string{"one", "two"}, says: "the two passwords differ"},
		{name: "nowhere", says: "no password for the instances was given"},
		{name: "empty file", args: []string{"-iscPasswordFile", "empty"}, says: "is empty"},
		{name: "no file", args: []string{"-iscPasswordFile", "none"}, says: "cannot read the password"},
	} {
		t.Run(row.name, func(t *testing.T) {
			u := newUser(t, `[{"Role": "DM"}]`)
			old := strings.Replace(readFile(t, u.site.Dir+"/defaults.json"), "IRIS-2023.1.0.235.1-lnxrh8x64", "IRIS-2018.2.0.792.0-lnxrhx64", 1)
			u.site.Write("defaults.json", old) // a kit whose tasks ask for the password itself
			u.site.Write("pw", "from-file\n")
			u.site.Write("empty", "\n")
			u.must(t, "provision")
			u.env["ICM_ISCPASSWORD"], u.in, u.answers = row.env, row.in, row.answers
			status, _, errs := u.types(t.Context(), append([]string{"install"}, row.args...)...)
			if row.want == "" {
				holds(t, errs, row.says)
				if status == ExitOK || u.site.Machine(dm).Version() != "" {
					t.Errorf("status %d, and something is installed", status)
				}
				return
			}
			if got := u.site.Machine(dm).Secret("password"); status != ExitOK || got != row.want {
				t.Errorf("status %d, the password is %q: %s", status, got, errs)
			}
			if found := u.site.Grep(row.want); len(found) > 0 && !slices.Equal(found, []string{u.site.Dir + "/pw"}) {
				t.Errorf("it is also in %q", found)
			}
		})
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestUninstallNeedsAYes(t *testing.T) {
	for _, row := range []struct {
		name    string
		args    []string
		in      string
		answers []string
		status  int
	}{
		{"yes on the terminal", nil, "", []string{"yes"}, ExitOK},
		{"y on the terminal", nil, "", []string{"y"}, ExitError},
		{"yes on standard input", nil, "yes\n", nil, ExitOK},
		{"no on standard input", nil, "no\n", nil, ExitError},
		{"nothing on standard input", nil, "", nil, ExitError},
		{"password, then yes on standard input", []string{"-iscPasswordFile", "-"}, "secret\nyes\n", nil, ExitOK},
		{"-force", []string{"-force"}, "", nil, ExitOK},
	} {
		t.Run(row.name, func(t *testing.T) {
			u := provisioned(t, `[{"Role": "DM"}]`)
			u.must(t, "install")
			u.in, u.answers = row.in, row.answers
			status, _, errs := u.types(t.Context(), append([]string{"uninstall"}, row.args...)...)
			if status != row.status {
				t.Errorf("status %d, want %d: %s", status, row.status, errs)
			}
			if gone := u.site.Machine(dm).Version() == ""; gone != (row.status == ExitOK) {
				t.Errorf("uninstalled: %v", gone)
			}
			if row.status != ExitOK {
				holds(t, errs, "not confirmed", "-force")
			}
			for _, q := range u.asked {
				holds(t, q, "This uninstalls IRIS from 1 nodes.", `Type "yes" to confirm`)
			}
		})
	}
}

func TestAPromptThatIsCancelledIsACancellation(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	env := &Env{Prompt: func(context.Context, string, bool) (string, error) { cancel(); return "", context.Canceled }}
	if got := exitStatus(confirm(ctx, env, "really?", false)); got != ExitCancelled {
		t.Errorf("the status is %d", got)
	}
}
