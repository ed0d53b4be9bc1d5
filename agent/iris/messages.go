package iris

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"icm/internal/hint"
	"icm/internal/wire"
)

// The two lines of messages.log that prove a clean shutdown. An upgrade of an
// instance that was not shut down cleanly loses data.
const (
	noJournalRestore = "Journal restore not required at next startup"
	noRollback       = "Transaction rollback not required at next startup"
)

// startMarks are lines of a startup. What was said before the last startup
// proves nothing about the shutdown after it.
var startMarks = regexp.MustCompile(`Startup of InterSystems IRIS|Allocated [0-9]+MB shared memory|Starting Control Process`)

// maxTail is how much of messages.log is looked at; a shutdown fits in many times.
const maxTail = 4 << 20

// MessagesLog returns where an instance writes its messages.
func MessagesLog(in wire.Instance) string {
	dir := in.DataDir
	if dir == "" {
		dir = in.Dir
	}
	for _, path := range []string{filepath.Join(dir, "mgr", "messages.log"), filepath.Join(dir, "messages.log")} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return filepath.Join(in.Dir, "mgr", "messages.log")
}

// LogEnd returns the size of messages.log: what is said later comes after it.
func LogEnd(in wire.Instance) (int64, error) {
	st, err := os.Stat(MessagesLog(in))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// ProveClean returns nil when messages.log proves that the instance's last
// shutdown was a clean one, and happened after offset.
func ProveClean(in wire.Instance, offset int64) error {
	path := MessagesLog(in)
	text, err := readFrom(path, offset)
	if err != nil {
		return fmt.Errorf("cannot prove that %s was shut down cleanly: %v", in.Name, err)
	}
	if clean(text) {
		return nil
	}
	return &hint.Error{
		Err:  fmt.Errorf("cannot prove that %s was shut down cleanly: %s does not say %q and %q", in.Name, path, noJournalRestore, noRollback),
		Hint: "do not upgrade or replace this instance: start it, stop it again, and call InterSystems support when the lines stay away",
	}
}

func clean(text string) bool {
	if all := startMarks.FindAllStringIndex(text, -1); len(all) > 0 {
		text = text[all[len(all)-1][1]:]
	}
	return strings.Contains(text, noJournalRestore) && strings.Contains(text, noRollback)
}

// readFrom reads the end of a file from offset on. A file that is shorter has
// been replaced since: then all of it is later.
func readFrom(path string, offset int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", err
	}
	if offset > st.Size() {
		offset = 0
	}
	if st.Size()-offset > maxTail {
		offset = st.Size() - maxTail
	}
	data, err := io.ReadAll(io.NewSectionReader(f, offset, st.Size()-offset))
	return string(data), err
}

// LastAlerts returns the last severe lines of messages.log from offset on, for
// people who must find out why an instance does not start.
func LastAlerts(in wire.Instance, offset int64, count int) []string {
	text, err := readFrom(MessagesLog(in), offset)
	if err != nil {
		return nil
	}
	var lines []string
	for l := range strings.Lines(text) {
		if severe.MatchString(l) {
			lines = append(lines, strings.TrimSpace(l))
		}
	}
	if len(lines) > count {
		lines = lines[len(lines)-count:]
	}
	return lines
}

var severe = regexp.MustCompile(`^\S+ \([0-9]+\) [23] `)
