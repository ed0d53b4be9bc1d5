package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
	in, name := env.In, "standard input"
	if file != "-" {
		if !filepath.IsAbs(file) {
			file = filepath.Join(env.Dir, file)
		}
		f, err := os.Open(file)
		if err != nil {
			return secret.Secret{}, fmt.Errorf("cannot read the password: %w", err)
		}
		defer f.Close()
		in, name = f, file
	}
	line, err := readLine(in)
	if err != nil {
		return secret.Secret{}, fmt.Errorf("cannot read the password: %w", err)
	}
	if line == "" {
		return secret.Secret{}, fmt.Errorf("cannot read the password: the first line of %s is empty", name)
	}
	return secret.New(line), nil
}

// readLine reads one line, and nothing after it: an answer to a question may
// follow a password on standard input. The last line needs no newline.
func readLine(r io.Reader) (string, error) {
	var line []byte
	b := make([]byte, 1)
	for {
		n, err := r.Read(b)
		if n == 1 && b[0] != '\n' {
			line = append(line, b[0])
		}
		switch {
		case n == 1 && b[0] == '\n', errors.Is(err, io.EOF):
			return strings.TrimSuffix(string(line), "\r"), nil
		case err != nil:
			return "", err
		case len(line) > maxLine:
			return "", fmt.Errorf("the line is longer than %d bytes", maxLine)
		}
	}
}

// maxLine bounds what is taken for a line that somebody typed, in bytes.
const maxLine = 4096

// askPassword prompts for the password twice. The second return is false when there is
// no terminal to ask on.
func askPassword(ctx context.Context, env *Env) (secret.Secret, bool, error) {
	first, err := env.Prompt(ctx, "Password for the instances' accounts: ", true)
	if errors.Is(err, errNoTerminal) {
		return secret.Secret{}, false, nil
	}
	if err != nil {
		return secret.Secret{}, true, err
	}
	second, err := env.Prompt(ctx, "Again: ", true)
	if err != nil {
		return secret.Secret{}, true, err
	}
	if first != second {
		return secret.Secret{}, true, &usageError{"the two passwords differ", "try again"}
	}
	return secret.New(first), true, nil
}
