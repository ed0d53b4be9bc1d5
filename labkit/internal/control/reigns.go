package control

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"icm/labkit/internal/store"
)

// Reign is one time that a member became primary of its mirror.
type Reign struct {
	Mirror, System string
	Epoch          store.Epoch
	Since          time.Time
}

func (r Reign) String() string {
	return fmt.Sprintf("reign %s %s %d %d %s", r.Mirror, r.System, r.Epoch.Number(), uint64(r.Epoch), r.Since.UTC().Format(time.RFC3339Nano))
}

// Loss is what a member acknowledged and the mirror went on without: two
// members were primary at the same time.
type Loss struct {
	Mirror, System string
	Database       string
	Records        uint64
}

func (l Loss) String() string {
	return fmt.Sprintf("loss %s %s %s %d", l.Mirror, l.System, l.Database, l.Records)
}

// Describe is the loss in words.
func (l Loss) Describe() string {
	return fmt.Sprintf("%s acknowledged %d records of database %s that mirror %s went on without", l.System, l.Records, l.Database, l.Mirror)
}

// Note adds a reign or a loss to mgr/standin.reigns so that it survives a
// power cut. Reigns are written before their first record.
func Note(mgr string, what fmt.Stringer) error {
	f, err := os.OpenFile(ReignsPath(mgr), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o660)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := fmt.Fprintln(f, what); err != nil {
		return err
	}
	return f.Sync()
}

// ReignsPath is the file of reigns and losses in a manager directory.
func ReignsPath(mgr string) string { return filepath.Join(mgr, "standin.reigns") }

// SplitBrains compares what the members of mirrors wrote down, given as the
// texts of their files. It tells of each epoch that two of them began, of
// everything that was acknowledged and lost, and of lines that cannot be
// read, as those prove nothing.
func SplitBrains(files ...string) []string {
	var lines []string
	for _, text := range files {
		lines = append(lines, strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })...)
	}
	type epoch struct{ mirror, number string }
	first := map[epoch]Reign{}
	var out []string
	for _, line := range lines {
		var r Reign
		var l Loss
		var number, since string
		if n, _ := fmt.Sscanf(line, "reign %s %s %s %d %s", &r.Mirror, &r.System, &number, &r.Epoch, &since); n == 5 {
			e := epoch{r.Mirror, number}
			if other, known := first[e]; known && other != r {
				out = append(out, fmt.Sprintf("%s and %s were both primary of mirror %s in epoch %s", other.System, r.System, r.Mirror, number))
			}
			first[e] = r
		} else if n, _ := fmt.Sscanf(line, "loss %s %s %s %d", &l.Mirror, &l.System, &l.Database, &l.Records); n == 4 {
			out = append(out, l.Describe())
		} else {
			out = append(out, fmt.Sprintf("cannot read %q", line))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
