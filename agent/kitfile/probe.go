package kitfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"icm/agent/host"
	"icm/internal/hint"
)

// UnknownSize is the size of a kit whose server does not tell.
const UnknownSize = -1

// Probe asks whether a kit can be had, and how many bytes it has, without
// fetching it.
func Probe(ctx context.Context, s Source) (size int64, err error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return 0, errors.New("cannot fetch the kit: its address cannot be read")
	}
	if u.Scheme == "file" {
		return fileSize(u.Path)
	}
	c, err := prober(s)
	if err != nil {
		return 0, err
	}
	out, err := c.Run(ctx)
	if err != nil {
		return UnknownSize, noKit(s, out, err)
	}
	return lengthOf(out.Stdout + "\n" + out.Stderr), nil
}

// fileSize says of a kit on the node why it cannot be used.
func fileSize(path string) (int64, error) {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, &hint.Error{
			Err:  fmt.Errorf("cannot fetch the kit: there is no file %s on the node", path),
			Hint: "a file address names a file on the node; copy the kit there with icm scp",
		}
	case err != nil:
		return 0, fmt.Errorf("cannot fetch the kit: %v", err)
	case !st.Mode().IsRegular():
		return 0, fmt.Errorf("cannot fetch the kit: %s is not a file", path)
	}
	return st.Size(), nil
}

func wgetHead() []string { return []string{"--spider", "--server-response", "--tries", "1"} }

// prober builds a request for a kit's headers.
func prober(s Source) (host.Command, error) {
	if path, err := exec.LookPath("curl"); err == nil {
		return curl(path, s, "-", "--head", "--max-time", "30")
	}
	if path, err := exec.LookPath("wget"); err == nil {
		return wget(path, s, "-", wgetHead()...)
	}
	return host.Command{}, noDownloader()
}

// noKit sorts the answer to a request for headers. Some servers know no such
// request, and one that wants credentials may say anything to us without: that
// says nothing about the kit.
func noKit(s Source, out host.Output, err error) error {
	m := httpStatus.FindStringSubmatch(out.Stderr)
	if m != nil && (s.Withheld || m[1] == "405" || m[1] == "501") {
		return nil
	}
	return explain(s.URL, "", out, err)
}

var contentLength = regexp.MustCompile(`(?im)^\s*content-length:\s*([0-9]{1,18})\s*$`)

// lengthOf finds the length in the headers of the last answer: those before it
// are of redirections.
func lengthOf(headers string) int64 {
	all := contentLength.FindAllStringSubmatch(strings.ReplaceAll(headers, "\r", ""), -1)
	if len(all) == 0 {
		return UnknownSize
	}
	size, err := strconv.ParseInt(all[len(all)-1][1], 10, 64)
	if err != nil || size == 0 {
		return UnknownSize
	}
	return size
}
