package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"icm/internal/atomicfile"
	"icm/plugins/provider"
)

// explain makes a sentence of what terraform said, and leaves the whole of it
// in terraform.err.
func (w *workspace) explain(ctx context.Context, verb string, err error) error {
	what := fmt.Sprintf("cannot %s %s", verb, w.name)
	if ctx.Err() != nil {
		return fmt.Errorf("%s: terraform was asked to stop, and has stopped: %w", what, ctx.Err())
	}
	said := err.Error()
	path := filepath.Join(w.dir, errFile)
	if logged, readErr := os.ReadFile(path); readErr == nil && changes(verb) && len(logged) > 0 {
		said = string(logged)
	} else if writeErr := atomicfile.Write(path, []byte(said+"\n"), 0o600); writeErr != nil {
		return errors.Join(err, writeErr)
	}
	problems := problemsIn(said)
	out := &provider.Error{Message: what + ": " + strings.Join(problems, "; "), Hint: "all that terraform said is in " + path}
	if w.dry {
		out.Hint = ""
	}
	sortError(out, said)
	if out.Kind == provider.KindOther && changes(verb) {
		out.Kind = provider.KindPartial
	}
	return out
}

// changes reports whether a command of terraform's may have done a part.
func changes(verb string) bool { return verb == "apply" || verb == "destroy" || verb == "refresh" }

// known are errors of terraform and its providers that we have a sentence for.
var known = []struct {
	said    *regexp.Regexp
	message string // in place of terraform's; "" keeps that
	hint    string
	kind    provider.Kind
}{
	{regexp.MustCompile(`Error acquiring the state lock`), "",
		"terraform of an earlier icm may still be at work there, and is better waited for; when no such process runs on this machine or on another, run the command again", provider.KindUnavailable},
	{regexp.MustCompile(`provider registry|Failed to query available provider packages|could not query provider|no available releases match|was not found in any of the search locations`), "",
		"terraform's provider is not on this machine: set TerraformMirror to a directory that `terraform providers mirror DIR` made on a machine with a network, or let terraform's own configuration (TF_CLI_CONFIG_FILE, ~/.terraformrc) allow the registry", provider.KindRefused},
	{regexp.MustCompile(`doesn't match any of the checksums|does not match any of the checksums|previously recorded in the dependency lock file`), "",
		"the mirror has another build of the provider than this deployment was made with: put that one back, or remove .terraform.lock.hcl from the directories of this deployment to take the new one", provider.KindRefused},
	{regexp.MustCompile(`No valid credential sources|InvalidClientTokenId|AuthFailure|UnauthorizedOperation|could not find default credentials|oauth2: |invalid_grant|building account|unable to build authorizer|AADSTS|Cannot complete login|incorrect user name or password`), "",
		"check the credentials: see docs/install-cloud.md for how each cloud takes them", provider.KindCredentials},
	{regexp.MustCompile(`RequestLimitExceeded|Throttling|connection refused|i/o timeout|TLS handshake timeout|no such host|Service Unavailable`), "", "", provider.KindUnavailable},
}

func sortError(e *provider.Error, said string) {
	for _, k := range known {
		if !k.said.MatchString(said) {
			continue
		}
		if k.message != "" {
			e.Message = k.message
		}
		if k.hint != "" {
			e.Hint = k.hint
		}
		e.Kind = k.kind
		return
	}
}

// maxProblems bounds how many of terraform's errors a message has.
const maxProblems = 3

// problemsIn are the errors in terraform's output, each with its detail, on one
// line.
func problemsIn(said string) []string {
	var out []string
	more := 0
	for block := range strings.SplitSeq(unbox(said), "Error: ") {
		text := oneLine(block)
		if text == "" || strings.HasPrefix(text, "exit status") {
			continue
		}
		if len(out) == maxProblems {
			more++
			continue
		}
		out = append(out, text)
	}
	switch {
	case len(out) == 0:
		out = []string{firstLine(said)}
	case more > 0:
		out = append(out, fmt.Sprintf("and %d more", more))
	}
	return out
}

// unbox removes the frames that terraform draws around errors.
func unbox(said string) string {
	return strings.NewReplacer("╷", "", "│", "", "╵", "", "\x1b[0m", "", "\x1b[31m", "", "\x1b[1m", "").Replace(said)
}

var sourceLine = regexp.MustCompile(`^\s*(on \S+ line \d+|with \S+|\d+:).*$`)

// oneLine joins the lines of one error, without those that show source.
func oneLine(block string) string {
	var words []string
	for line := range strings.Lines(block) {
		if line = strings.TrimSpace(line); line == "" || sourceLine.MatchString(line) {
			continue
		}
		words = append(words, line)
	}
	text := strings.Join(words, " ")
	if len(text) > 400 {
		text = text[:400] + "…"
	}
	return text
}
