package kitfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"

	"icm/agent/host"
	"icm/internal/hint"
	"icm/internal/secret"
)

// watch is how often the size of a growing file is looked at.
const watch = time.Second

// fetchLimit is for a kit that comes on a line of a tenth of a megabit in a
// second. A download that stands still ends much earlier.
const fetchLimit = 48 * time.Hour

// Source is where a kit comes from.
type Source struct {
	URL         string        // http, https or file; no user, no password
	Credentials secret.Secret // "user:password", or empty
	// Withheld says that there are credentials which are not at hand.
	Withheld bool
}

// Fetch gets the archive to path. What an earlier try left in path+".part" is
// continued. progress gets the bytes that are there.
func Fetch(ctx context.Context, s Source, path string, progress func(done int64)) error {
	u, err := url.Parse(s.URL)
	if err != nil {
		return errors.New("cannot fetch the kit: its address cannot be read")
	}
	if u.Scheme == "file" {
		return takeFile(ctx, u.Path, path)
	}
	part := path + ".part"
	c, err := downloader(s, part)
	if err != nil {
		return err
	}
	c.Limit = fetchLimit
	stop := follow(ctx, part, progress)
	out, err := c.Run(ctx)
	stop()
	if err != nil {
		return explain(s.URL, part, out, err)
	}
	return os.Rename(part, path)
}

// downloader builds the command of whichever program the node has.
func downloader(s Source, part string) (host.Command, error) {
	if path, err := exec.LookPath("curl"); err == nil {
		return curl(path, s, part, "--continue-at", "-", "--retry", "3", "--retry-delay", "2")
	}
	if path, err := exec.LookPath("wget"); err == nil {
		return wget(path, s, part, "--continue", "--tries", "4")
	}
	return host.Command{}, noDownloader()
}

func noDownloader() error {
	return &hint.Error{
		Err:  errors.New("cannot fetch the kit: the node has neither curl nor wget"),
		Hint: "install one of them, or copy the kit to the node with icm scp and set KitURL to file:///…",
	}
}

// curl gives address and credentials on standard input, where no other user of
// the node sees them.
func curl(path string, s Source, part string, more ...string) (host.Command, error) {
	var b strings.Builder
	add := func(option, value string) error {
		if strings.ContainsAny(value, "\r\n\x00") {
			return fmt.Errorf("cannot fetch the kit: its %s has more than one line", option)
		}
		fmt.Fprintf(&b, "%s = \"%s\"\n", option, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value))
		return nil
	}
	if err := errors.Join(add("url", s.URL), add("output", part)); err != nil {
		return host.Command{}, err
	}
	if !s.Credentials.Empty() {
		if err := add("user", s.Credentials.Reveal()); err != nil {
			return host.Command{}, errors.New("cannot fetch the kit: its credentials have more than one line")
		}
	}
	return host.Command{Path: path, Stdin: strings.NewReader(b.String()), Args: append([]string{
		"--disable", "--config", "-", "--fail", "--silent", "--show-error",
		"--location", "--max-redirs", "5", "--proto", "=http,https", "--proto-redir", "=http,https",
		"--globoff", "--connect-timeout", "30",
		"--speed-limit", "1", "--speed-time", "120",
	}, more...)}, nil
}

// wget has no way to take credentials from standard input in all its versions;
// a netrc would have to be a file. The address goes there by --input-file.
func wget(path string, s Source, part string, more ...string) (host.Command, error) {
	address := s.URL
	if strings.ContainsAny(address, "\r\n\x00") {
		return host.Command{}, errors.New("cannot fetch the kit: its address has more than one line")
	}
	if !s.Credentials.Empty() {
		u, err := url.Parse(address)
		if err != nil {
			return host.Command{}, errors.New("cannot fetch the kit: its address cannot be read")
		}
		user, password, _ := strings.Cut(s.Credentials.Reveal(), ":")
		u.User = url.UserPassword(user, password)
		address = u.String()
	}
	return host.Command{Path: path, Stdin: strings.NewReader(address + "\n"), Args: append([]string{
		"--no-config", "--no-verbose", "--input-file", "-", "--output-document", part,
		"--max-redirect", "5", "--timeout", "120", "--connect-timeout", "30", "--waitretry", "2",
	}, more...)}, nil
}

// follow tells the size of a growing file until it is stopped.
func follow(ctx context.Context, path string, progress func(int64)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(watch)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if st, err := os.Stat(path); err == nil {
					progress(st.Size())
				}
			}
		}
	}()
	return func() { cancel(); <-done }
}

// takeFile puts a kit that is on the node in place: by a second name where that
// is possible, else by a copy.
func takeFile(ctx context.Context, from, path string) error {
	if _, err := fileSize(from); err != nil {
		return err
	}
	part := path + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot fetch the kit: %v", err)
	}
	if os.Link(from, part) != nil {
		if err := copyTo(ctx, from, part); err != nil {
			return fmt.Errorf("cannot fetch the kit: %w", err)
		}
	}
	return os.Rename(part, path)
}

func copyTo(ctx context.Context, from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	return copyContext(ctx, out, in)
}
