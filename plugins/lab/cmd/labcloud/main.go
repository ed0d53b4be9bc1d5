// Command labcloud is Amazon's cloud on one machine, for tests: the simulated
// provider of Terraform, whose instances are nodes of the lab. They are what the
// cloud's would be: entered with the user, the key and the host key of their
// user data, and with volumes that go by the cloud's identities.
//
//	labcloud mirror DIR           make a provider mirror, with such a cloud
//	labcloud down DIR             destroy what is left of its nodes
//	labcloud create TYPE ID       what the simulated provider calls, with the
//	labcloud update TYPE ID       object on standard input; so with `delete`
//
// In a mirror it is the provider too.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"icm/plugins/internal/terraform/simulated"
)

func main() {
	if err := run(context.Background(), os.Args, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "labcloud:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	switch {
	case strings.HasPrefix(filepath.Base(args[0]), "terraform-provider-"):
		return simulated.Serve()
	case len(args) == 3 && args[1] == "mirror":
		return makeMirror(args[2])
	case len(args) == 3 && args[1] == "down":
		return cloud{args[2]}.down(ctx)
	case len(args) == 4:
		c := cloud{filepath.Dir(os.Getenv("ICM_SIMULATED_STORE"))}
		return c.event(ctx, event{verb: args[1], kind: args[2], id: args[3]}, in, out)
	}
	return errors.New("labcloud cannot be called like that")
}

// makeMirror makes a mirror in which this program is every provider, and
// the hook of Amazon's.
func makeMirror(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	m, err := simulated.NewMirror(dir, self)
	if err != nil {
		return err
	}
	return m.Store("aws").UseHook(self)
}
