package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"icm/internal/atomicfile"
	"icm/internal/secret"
	"icm/internal/wire"
)

// Secrets of a change lie in a directory of its own, for root only, from
// before the change is recorded until it has ended.

func (e *Engine) secretsDir() string { return filepath.Join(e.dir, "secrets") }

func (e *Engine) secretsPath(change string) string {
	return filepath.Join(e.secretsDir(), change, "secrets.json")
}

func (e *Engine) writeSecrets(change string, secrets wire.Secrets) error {
	if len(secrets) == 0 {
		return nil
	}
	data, err := json.Marshal(map[string][]byte(secrets))
	if err == nil {
		err = os.MkdirAll(filepath.Dir(e.secretsPath(change)), 0o700)
	}
	if err == nil {
		err = atomicfile.Write(e.secretsPath(change), data, 0o600)
	}
	if err == nil {
		err = errors.Join(atomicfile.SyncDir(e.secretsDir()), atomicfile.SyncDir(e.dir))
	}
	if err != nil {
		return fmt.Errorf("cannot keep the secrets of the change: %w", err)
	}
	return nil
}

func (e *Engine) readSecrets(change string) (map[string]secret.Secret, error) {
	data, err := os.ReadFile(e.secretsPath(change))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the secrets of the change: %w", err)
	}
	var raw map[string][]byte
	if json.Unmarshal(data, &raw) != nil { // its error could quote the file
		return nil, errors.New("cannot read the secrets of the change: the file is damaged")
	}
	out := make(map[string]secret.Secret, len(raw))
	for name, v := range raw {
		out[name] = secret.New(string(v))
	}
	return out, nil
}

func (e *Engine) dropSecrets(change string) error {
	if err := os.RemoveAll(filepath.Dir(e.secretsPath(change))); err != nil {
		return fmt.Errorf("cannot remove the secrets of change %s: %w", change, err)
	}
	return nil
}

// sweepSecrets removes what a crash between the end of a change and the
// removal of its secrets, or before its first record, left behind.
func (e *Engine) sweepSecrets() error {
	entries, err := os.ReadDir(e.secretsDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot look for secrets left behind: %w", err)
	}
	for _, entry := range entries {
		if c := e.state.find(entry.Name()); c != nil && !c.status.Ended() {
			continue
		}
		if err := e.dropSecrets(entry.Name()); err != nil {
			return err
		}
	}
	return nil
}

// stars replaces secrets in what is going to be recorded. Kinds must not put
// them there; outside programs sometimes print what they were given, and of a
// licence key or a private key just one line.
func stars(secrets map[string]secret.Secret) *strings.Replacer {
	var pairs []string
	for _, s := range secrets {
		for _, v := range append([]string{s.Reveal(), strings.TrimSpace(s.Reveal())}, tellingLines(s.Reveal())...) {
			if len(v) >= minSecret {
				pairs = append(pairs, v, "*****")
			}
		}
	}
	return strings.NewReplacer(pairs...)
}

// tellingLines are the lines of a secret that has several, and what stands in
// them behind a name: those that are long enough to be one's own.
func tellingLines(s string) []string {
	s = strings.TrimSpace(s)
	if !strings.Contains(s, "\n") {
		return nil
	}
	var out []string
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		_, value, _ := strings.Cut(line, "=")
		for _, v := range []string{line, strings.TrimSpace(value)} {
			if len(v) >= minLine {
				out = append(out, v)
			}
		}
	}
	return out
}

// minSecret keeps a one-letter secret from blanking every text, minLine a line
// such as a header from doing so.
const (
	minSecret = 4
	minLine   = 12
)

func validID(id string) error {
	ok := id != "" && len(id) <= 128 && id[0] != '.'
	for _, r := range id {
		ok = ok && (r == '-' || r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	}
	if !ok {
		return refuse(wire.CodeBadCall, "", "%q is not a change id: letters, digits, '-', '_' and '.' only, at most 128", id)
	}
	return nil
}
