package monitor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"icm/agent/iris"
	"icm/internal/wire"
)

// place is where a messages.log was read to, and what was severe in it since
// somebody saw it last.
type place struct {
	Inode  uint64 `json:"inode"`
	Offset int64  `json:"offset"`
	Count  int    `json:"count,omitempty"`
	Worst  int    `json:"worst,omitempty"` // severity
	Last   string `json:"last,omitempty"`
}

// maxRead is how much of a log one round reads, in bytes: a flood of messages
// is counted in several rounds.
const maxRead = 4 << 20

// severeLine is a line of messages.log with severity 2 or 3: "06/26/23-08:02:17:828
// (144145) 2 text".
var severeLine = regexp.MustCompile(`^\S+ \([0-9]+\) ([23]) `)

// checkMessages reads what was written since the last round. The place is known
// over restarts; a log that was rotated is read to its end first.
func checkMessages(_ context.Context, v *view) error {
	for _, in := range v.instances {
		p, known := v.mem.Places[in.Name]
		p, err := readOn(p, known, iris.MessagesLog(in))
		if err != nil {
			return err
		}
		v.mem.Places[in.Name] = p
		if p.Count == 0 {
			continue
		}
		severity, lines := wire.SeverityWarn, "1 severe line"
		if p.Worst >= 3 {
			severity = wire.SeverityAlert
		}
		if p.Count > 1 {
			lines = fmt.Sprintf("%d severe lines, the last", p.Count)
		}
		v.add(CheckMessages, in.Name, severity, fmt.Sprintf("messages.log of %s has %s: %s", in.Name, lines, p.Last))
	}
	return nil
}

// readOn reads a log from the place on. What it said before it was first looked
// at is history.
func readOn(p place, known bool, path string) (place, error) {
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		p, err = p.finish(path)
		return place{Count: p.Count, Worst: p.Worst, Last: p.Last}, err
	}
	if err != nil {
		return p, err
	}
	now := inode(st)
	switch {
	case !known:
		return place{Inode: now, Offset: st.Size()}, nil
	case p.Inode != now && p.Inode != 0:
		if p, err = p.finish(path); err != nil {
			return p, err
		}
		p.Offset = 0
	case st.Size() < p.Offset:
		p.Offset = 0 // emptied in place
	}
	p.Inode = now
	return p.read(path)
}

func inode(st fs.FileInfo) uint64 {
	if s, ok := st.Sys().(*syscall.Stat_t); ok {
		return s.Ino
	}
	return 0
}

// finish reads what is left of a log that was rotated.
func (p place) finish(path string) (place, error) {
	if old := rotated(path, p.Inode); p.Inode != 0 && old != "" {
		return p.read(old)
	}
	return p, nil
}

// rotated finds the file that a log became, "" when it is gone.
func rotated(path string, was uint64) string {
	files, _ := filepath.Glob(strings.TrimSuffix(path, ".log") + "*")
	for _, f := range files {
		if st, err := os.Stat(f); err == nil && inode(st) == was {
			return f
		}
	}
	return ""
}

// read counts the severe lines from the place on. A last line that has no end
// yet is left for the next time.
func (p place) read(path string) (place, error) {
	f, err := os.Open(path)
	if err != nil {
		return p, err
	}
	defer f.Close()
	in := bufio.NewReader(io.NewSectionReader(f, p.Offset, maxRead))
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			if len(line) >= maxRead {
				p.Offset += int64(len(line)) // no line of a log is that long
			}
			return p, nil
		}
		p.Offset += int64(len(line))
		if m := severeLine.FindStringSubmatch(line); m != nil {
			p.Count++
			p.Worst = max(p.Worst, int(m[1][0]-'0'))
			p.Last = shorten(line)
		}
	}
}

// seen forgets the lines that somebody has read.
func (m *Monitor) seen() {
	m.round.Lock()
	defer m.round.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	mem := m.mem.clone()
	for name, p := range mem.Places {
		mem.Places[name] = place{Inode: p.Inode, Offset: p.Offset}
	}
	if err := mem.save(m.Home, m.mem); err != nil {
		m.Log.Error("cannot keep what was seen", "err", err)
	}
	m.mem = mem
}
