package webgateway

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"icm/internal/kind"
)

// pageLimit is how long one page may take, maxPage how much of it is read.
const (
	pageLimit = 30 * time.Second
	maxPage   = 64 << 10
)

// Page asks the node's own web server for a page and returns its body. Whatever
// is not 200 is an error that quotes what was said.
//
// HTTP/1.0 by hand is all that is needed of it: net/http would make the agent
// half as big again.
func Page(ctx context.Context, port int, path string) (string, error) {
	if strings.ContainsAny(path, " \t\r\n") || !strings.HasPrefix(path, "/") {
		return "", fmt.Errorf("cannot ask for the page %q: it is no path", path)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, pageLimit, fmt.Errorf("no answer within %s", pageLimit))
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return "", err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n", path); err != nil {
		return "", err
	}
	status, body, err := readAnswer(c)
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil:
		return "", err
	case status != 200:
		return "", fmt.Errorf("it answered with status %d: %s", status, excerpt(body))
	}
	return body, nil
}

// readAnswer reads an answer of HTTP/1.0, whose end is the connection's.
func readAnswer(from io.Reader) (status int, body string, err error) {
	r := bufio.NewReader(io.LimitReader(from, maxPage))
	line, err := r.ReadString('\n')
	if err != nil {
		return 0, "", errors.New("it closed the connection without an answer")
	}
	words := strings.Fields(line)
	if len(words) < 2 || !strings.HasPrefix(words[0], "HTTP/") {
		return 0, "", fmt.Errorf("it does not speak HTTP: %s", excerpt(line))
	}
	if status, err = strconv.Atoi(words[1]); err != nil {
		return 0, "", fmt.Errorf("it does not speak HTTP: %s", excerpt(line))
	}
	for line != "" {
		line, err = r.ReadString('\n')
		if line = strings.TrimRight(line, "\r\n"); err != nil && line != "" {
			return 0, "", errors.New("its answer ended too early")
		}
	}
	rest, err := io.ReadAll(r)
	return status, string(rest), err
}

// excerpt is the first line of what was said.
func excerpt(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return s[:min(200, len(s))]
}

// Answers asks for the page of a task once; nil is the answer that is wanted.
func Answers(ctx context.Context, a kind.GatewayPage) error {
	port := a.Port
	if port == 0 {
		port = 80
	}
	page, err := Page(ctx, port, a.Path)
	if err != nil {
		return err
	}
	return holds(page, a.Want)
}

// holds reports why a page is not what is wanted, or nil.
func holds(page, want string) error {
	if want == "" || strings.Contains(page, want) {
		return nil
	}
	return fmt.Errorf("the page does not say %q but %q", want, excerpt(page))
}
