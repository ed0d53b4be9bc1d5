package cli

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"icm/internal/secret"
)

// passwordOptions are the ways to give the instances' password. The guide's
// -iscPassword shows in the process list; the others do not.
type passwordOptions struct {
	plain, file string
}

func (p *passwordOptions) register(fs *flag.FlagSet) {
	fs.StringVar(&p.plain, "iscPassword", "", "`password` for the instances; others on this machine can see it while icm runs: prefer -iscPasswordFile, the variable ICM_ISCPASSWORD, or the prompt")
	fs.StringVar(&p.file, "iscPasswordFile", "", "read the password for the instances from this `file`; - is standard input")
}

// given returns the password from option, file or environment, in this order.
// An empty secret means that none was given.
func (p *passwordOptions) given(env *Env) (secret.Secret, error) {
	switch {
	case p.plain != "":
		return secret.New(p.plain), nil
	case p.file != "":
		return readPassword(env, p.file)
	default:
		return secret.New(env.Getenv("ICM_ISCPASSWORD")), nil
	}
}

func readPassword(env *Env, file string) (secret.Secret, error) {
	in := env.In
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return secret.Secret{}, fmt.Errorf("cannot read the password: %w", err)
		}
		defer f.Close()
		in = f
	}
	buf := make([]byte, 4096)
	n, err := in.Read(buf)
	if n == 0 && err != nil {
		return secret.Secret{}, fmt.Errorf("cannot read the password: %w", err)
	}
	line, _, _ := strings.Cut(string(buf[:n]), "\n")
	return secret.New(strings.TrimSuffix(line, "\r")), nil
}

// ask prompts for the password twice. The second return is false when there is
// no terminal to ask on.
func askPassword(env *Env) (secret.Secret, bool, error) {
	first, err := env.Prompt("Password for the instances' accounts: ", true)
	if errors.Is(err, errNoTerminal) {
		return secret.Secret{}, false, nil
	}
	if err != nil {
		return secret.Secret{}, true, err
	}
	second, err := env.Prompt("Again: ", true)
	if err != nil {
		return secret.Secret{}, true, err
	}
	if first != second {
		return secret.Secret{}, true, &usageError{"the two passwords differ", "try again"}
	}
	return secret.New(first), true, nil
}
