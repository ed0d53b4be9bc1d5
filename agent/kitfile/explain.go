package kitfile

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"icm/agent/host"
	"icm/internal/hint"
)

var httpStatus = regexp.MustCompile(`(?:error: |ERROR |HTTP[/0-9.]* )([45][0-9][0-9])`)

// explain turns a downloader's status into a sentence with the address in it.
// address has no credentials; what the program said is not repeated, because
// what it was given may be in it.
func explain(address, part string, out host.Output, err error) error {
	var exit *host.ExitError
	if !errors.As(err, &exit) {
		return fmt.Errorf("cannot fetch %s: %w", address, err)
	}
	said := out.Stderr + "\n" + out.Stdout
	why, next := reason(said, exit.Exit)
	if why == "" {
		why = fmt.Sprintf("the download program ended with status %d", exit.Exit)
	}
	if strings.Contains(why, "range") {
		// What is there is as long as the kit, or longer: begin anew next time.
		if err := os.Remove(part); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	err = fmt.Errorf("cannot fetch %s: %s", address, why)
	if next == "" {
		return err
	}
	return hint.New(err, next)
}

// reason sorts what can go wrong.
func reason(said string, exit int) (why, hint string) {
	if m := httpStatus.FindStringSubmatch(said); m != nil {
		return httpReason(m[1])
	}
	low := strings.ToLower(said)
	for _, r := range []struct{ word, why, hint string }{
		{"could not resolve", "the name of the server is not known here", "check KitURL, and the node's resolver"},
		{"unable to resolve", "the name of the server is not known here", "check KitURL, and the node's resolver"},
		{"refused", "the server refuses the connection", "check that the server of KitURL runs and that the node may reach it"},
		{"connect to server", "nothing accepts connections there: the server refuses, or cannot be reached", "check that the server of KitURL runs and that the node may reach it"},
		{"timed out", "the server does not answer", "check that the node may reach the server of KitURL"},
		{"operation too slow", "the download stood still for two minutes", "run the command again: it goes on where it stopped"},
		{"certificate", "the server's certificate is not trusted by the node", "add its certificate authority to the node, or use http or file"},
		{"transfer closed", "the server ended the connection early", "run the command again: it goes on where it stopped"},
		{"failed writing", "the disk is full or cannot be written", "free some space below the agent's directory"},
		{"no space left", "the disk is full", "free some space below the agent's directory"},
		{"byte range", "the range asked for is not there", "run the command again: it begins anew"},
	} {
		if strings.Contains(low, r.word) {
			return r.why, r.hint
		}
	}
	if exit == 23 {
		return "the disk is full or cannot be written", "free some space below the agent's directory"
	}
	return "", ""
}

func httpReason(status string) (why, hint string) {
	switch status {
	case "401", "403":
		return "the server does not let us have it (status " + status + ")", "the field KitCredentials names a file with user:password for it"
	case "404", "410":
		return "the server has no such file (status " + status + ")", "check KitURL"
	case "416":
		return "the range asked for is not there (status 416)", "run the command again: it begins anew"
	}
	return "the server answers with status " + status, "run the command again later, or ask who runs the server"
}
