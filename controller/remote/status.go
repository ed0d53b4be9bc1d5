package remote

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"icm/internal/wire"
)

// maxGreeting bounds what a login shell may print before the script speaks.
const maxGreeting = 64 << 10

// status is what bootstrap.sh found.
type status struct {
	OS, Kernel, Machine, Init, User string
	Sudo                            string // "ok", or what sudo said
	Systemd, Active                 bool
	FreeKB                          int64
	Build                           string // "" when there is no agent
	SHA256                          string // of the wanted build's program, "" when it is not there
	Oldest, Newest                  int    // protocol of Build, 0 when not known
	Reverted                        string // build and reason of an update that the node took back, "" for none
}

// readStart reads what bootstrap.sh answers: the beginning of the agent's
// stream, and then the marker is still unread in r and found is true, or a
// status. Anything before either is skipped, up to a bound.
func readStart(r *bufio.Reader) (st status, found bool, err error) {
	for read := 0; read < maxGreeting; {
		head, err := r.Peek(1)
		if err != nil {
			return st, false, err
		}
		if head[0] == wire.Marker[0] {
			if mark, _ := r.Peek(len(wire.Marker)); string(mark) == wire.Marker {
				return st, true, nil
			}
		}
		line, err := readLine(r)
		read += len(line)
		if done, parseErr := st.take(line); done || parseErr != nil {
			return st, false, parseErr
		}
		if err != nil {
			return st, false, err
		}
	}
	return st, false, errors.New("the login shell prints too much")
}

// readLine reads to the end of the line or to just before a marker that
// stands in the middle of one: a greeting need not end its last line.
func readLine(r *bufio.Reader) (string, error) {
	var line []byte
	for len(line) < maxGreeting {
		b, err := r.ReadByte()
		if err != nil {
			return string(line), err
		}
		if b == wire.Marker[0] && len(line) > 0 {
			return string(line), r.UnreadByte()
		}
		line = append(line, b)
		if b == '\n' {
			break
		}
	}
	return string(line), nil
}

// take takes one line; done means it was the last.
func (st *status) take(line string) (done bool, err error) {
	text, ours := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "icm:")
	if !ours {
		return false, nil
	}
	name, value, _ := strings.Cut(text, "=")
	switch name {
	case "os":
		st.OS = strings.TrimSpace(value)
	case "kernel":
		st.Kernel = value
	case "machine":
		st.Machine = value
	case "user":
		st.User = value
	case "sudo":
		st.Sudo = value
	case "init":
		st.Init = value
	case "systemd":
		st.Systemd = value == "yes"
	case "active":
		st.Active = value == "yes"
	case "build":
		st.Build = value
	case "reverted":
		if build, why, ok := strings.Cut(value, " "); ok {
			st.Reverted = fmt.Sprintf("agent %s: %s", build, why)
		}
	case "sha256":
		st.SHA256 = value
	case "freekb":
		st.FreeKB, err = strconv.ParseInt(cmp.Or(value, "0"), 10, 64)
	case "protocol":
		_, _ = fmt.Sscan(value, &st.Oldest, &st.Newest) // not known is 0
	case "end":
		return true, nil
	}
	return false, err
}

// arch is the GOARCH of the node.
func (st *status) arch() string {
	switch st.Machine {
	case "x86_64", "amd64":
		return "amd64"
	case "aarch64", "arm64":
		return "arm64"
	default:
		return st.Machine
	}
}

// outcome reads the last "icm:" line of install.sh or remove.sh.
func outcome(out []byte) (done bool, failure string) {
	for line := range bytes.Lines(out) {
		text := strings.TrimRight(string(line), "\r\n")
		if strings.HasPrefix(text, "icm:done=") {
			done = true
		}
		if why, ok := strings.CutPrefix(text, "icm:error="); ok {
			failure = why
		}
	}
	return done && failure == "", failure
}

// joined is a session's two directions as one stream.
type joined struct {
	io.Reader
	io.Writer
	close func() error
}

func (j *joined) Close() error { return j.close() }
