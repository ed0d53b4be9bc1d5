package continuity

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"icm/labkit/internal/control"
)

// Op is what a request asks for.
type Op int

// Who asks for a server's name only, Write stores a value under a key, Read
// asks for it, All asks for everything.
const (
	Who Op = iota
	Write
	Read
	All
)

func (o Op) String() string { return [...]string{"who", "write", "read", "read all"}[o] }

// Request is one thing that a route is asked.
type Request struct {
	Op         Op
	Namespace  string
	Key, Value string
}

// Page is the path and the query of the request, below an application's path.
func (r Request) Page() (page, query string) {
	q := url.Values{"ns": {r.Namespace}}
	switch r.Op {
	case Who:
		return "whoami", ""
	case All:
		q.Set("all", "1")
	default:
		q.Set("key", r.Key)
	}
	return "records", q.Encode()
}

// Answer is a success; reading what is not there is one too.
type Answer struct {
	Value  string
	Found  bool
	Values map[string]string // of All
	// By is who answered, Wrote who acknowledged a write, Gateway the process
	// of a Web Gateway in between.
	By, Wrote control.Receipt
	Gateway   string
}

// NewAnswer makes sense of the page that came for a request.
func NewAnswer(r Request, status int, body string, by, wrote control.Receipt) (Answer, error) {
	a := Answer{By: by, Wrote: wrote}
	switch {
	case r.Op == Read && status == http.StatusNotFound && by.Server != "":
		return a, nil
	case status != http.StatusOK:
		return Answer{}, fmt.Errorf("status %d: %s", status, strings.TrimSpace(body))
	case by.Server == "" || r.Op == Write && wrote.Server == "":
		return Answer{}, fmt.Errorf("the answer does not say whose it is: %.80q", body)
	case r.Op == Read:
		a.Value, a.Found = body, true
	case r.Op == All:
		if err := json.Unmarshal([]byte(body), &a.Values); err != nil {
			return Answer{}, fmt.Errorf("the answer is not the records: %w", err)
		}
	}
	return a, nil
}

// Route is a way to the data. Ask is called by one goroutine at a time, and
// returns at the latest when ctx is done.
type Route interface {
	Name() string
	Ask(ctx context.Context, r Request) (Answer, error)
}

// web is a web server with a Web Gateway, or a private one.
type web struct {
	name, url string
	client    http.Client
}

// Web is the route through the web server and application path of url, such
// as http://10.0.0.5/csp/user.
func Web(name, url string) Route {
	return &web{name: name, url: strings.TrimSuffix(url, "/"), client: http.Client{Transport: &http.Transport{}}}
}

func (w *web) Name() string { return w.name }

func (w *web) Ask(ctx context.Context, r Request) (Answer, error) {
	page, query := r.Page()
	method, body := http.MethodGet, io.Reader(nil)
	if r.Op == Write {
		method, body = http.MethodPost, strings.NewReader(r.Value)
	}
	req, err := http.NewRequestWithContext(ctx, method, w.url+"/"+page+"?"+query, body)
	if err != nil {
		return Answer{}, err
	}
	res, err := w.client.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return Answer{}, err
	}
	by, err := control.ParseReceipt(res.Header.Get(control.ByHeader))
	if err != nil {
		return Answer{}, err
	}
	wrote, err := control.ParseReceipt(res.Header.Get(control.WroteHeader))
	if err != nil {
		return Answer{}, err
	}
	a, err := NewAnswer(r, res.StatusCode, string(text), by, wrote)
	a.Gateway = res.Header.Get(control.GatewayHeader)
	return a, err
}
