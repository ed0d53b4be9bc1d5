package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"icm/controller/deploy"
	"icm/internal/secret"
)

var errNoTerminal = errors.New("there is no terminal to ask on")

// promptTerminal asks on the terminal itself, so that redirected output stays
// clean. A read from a terminal cannot be cancelled: when ctx ends it is left
// behind, and the terminal is put back as it was.
func promptTerminal(ctx context.Context, question string, hide bool) (string, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return "", errNoTerminal
	}
	before, err := term.GetState(int(tty.Fd()))
	if err != nil {
		return "", errors.Join(errNoTerminal, tty.Close())
	}
	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		text, err := ask(tty, question, hide)
		got <- answer{text, err}
	}()
	select {
	case a := <-got:
		return a.text, errors.Join(a.err, tty.Close())
	case <-ctx.Done():
		fmt.Fprintln(tty)
		return "", errors.Join(ctx.Err(), term.Restore(int(tty.Fd()), before))
	}
}

func ask(tty *os.File, question string, hide bool) (string, error) {
	if _, err := fmt.Fprint(tty, question); err != nil {
		return "", err
	}
	if hide {
		answer, err := term.ReadPassword(int(tty.Fd()))
		fmt.Fprintln(tty)
		return string(answer), err
	}
	line, err := bufio.NewReader(tty).ReadString('\n')
	return strings.TrimSpace(line), err
}

// confirm asks for "yes", in the guide's words, unless force says that it was
// given already. Without a terminal the answer is read from standard input.
func confirm(ctx context.Context, env *Env, what string, force bool) error {
	if force {
		return nil
	}
	answer, err := env.Prompt(ctx, what+"\nType \"yes\" to confirm: ", false)
	if errors.Is(err, errNoTerminal) {
		fmt.Fprintf(env.Err, "%s\nType \"yes\" to confirm: ", what)
		answer, err = readLine(env.In)
		answer = strings.TrimSpace(answer)
	}
	if answer == "yes" {
		return nil
	}
	if ctx.Err() != nil {
		return &deploy.CancelledError{}
	}
	if err != nil {
		return &usageError{"not confirmed", "-force confirms in advance"}
	}
	return &usageError{"not confirmed: nothing was changed", "type yes, or use -force"}
}

// AskPassphrase asks for the passphrase of an encrypted key file, unless the
// environment has it.
func AskPassphrase(file string) (secret.Secret, error) {
	if p := os.Getenv("ICM_SSH_PASSPHRASE"); p != "" {
		return secret.New(p), nil
	}
	answer, err := promptTerminal(context.Background(), fmt.Sprintf("Passphrase of %s: ", file), true)
	if errors.Is(err, errNoTerminal) {
		return secret.Secret{}, errors.New("the key is encrypted and there is no terminal to ask on; set ICM_SSH_PASSPHRASE")
	}
	return secret.New(answer), err
}
