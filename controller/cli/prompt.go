package cli

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"icm/internal/secret"
)

var errNoTerminal = errors.New("there is no terminal to ask on")

// promptTerminal asks on the terminal itself, so that redirected output stays
// clean.
func promptTerminal(question string, hide bool) (string, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return "", errNoTerminal
	}
	defer tty.Close()
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
func confirm(env *Env, what string, force bool) error {
	if force {
		return nil
	}
	answer, err := env.Prompt(what+"\nType \"yes\" to confirm: ", false)
	if errors.Is(err, errNoTerminal) {
		fmt.Fprintf(env.Err, "%s\nType \"yes\" to confirm: ", what)
		answer, err = readLine(env.In)
		answer = strings.TrimSpace(answer)
	}
	if answer == "yes" {
		return nil
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
	answer, err := promptTerminal(fmt.Sprintf("Passphrase of %s: ", file), true)
	if errors.Is(err, errNoTerminal) {
		return secret.Secret{}, errors.New("the key is encrypted and there is no terminal to ask on; set ICM_SSH_PASSPHRASE")
	}
	return secret.New(answer), err
}
