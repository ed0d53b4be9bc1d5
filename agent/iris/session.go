package iris

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"icm/agent/host"
	"icm/internal/hint"
	"icm/internal/wire"
)

// sessionLimit is how long code may run when the request says nothing.
const sessionLimit = 5 * time.Minute

// Errors of sessions that callers branch on.
var (
	// ErrLogin means that the instance asked for a user and a password and
	// got none, or wrong ones. Waiting never helps.
	ErrLogin = errors.New("the instance asks for a user name and a password")
	// ErrBusy means that the instance does not let sessions in yet, or has no
	// licence unit free. Waiting may help.
	ErrBusy = errors.New("the instance does not accept sessions now")
)

// Session runs ObjectScript or SQL in an instance, as its owner. err is about
// reaching the instance; code that fails is a reply with Failed set.
func (n *Node) Session(ctx context.Context, req wire.SessionRequest) (wire.SessionReply, error) {
	in, err := n.Find(ctx, req.Instance)
	if err != nil {
		return wire.SessionReply{}, err
	}
	limit := sessionLimit
	if req.Limit > 0 {
		limit = time.Duration(req.Limit) * time.Second
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the code did not end within %s", limit))
	defer cancel()
	switch req.Language {
	case "", "objectscript":
		return n.objectScript(ctx, in, req)
	case "sql":
		return n.sql(ctx, in, req)
	}
	return wire.SessionReply{}, fmt.Errorf("cannot run a session: there is no language %q", req.Language)
}

// objectScript pipes code between two lines of our own, so that banner,
// prompts and code's output can be told apart.
func (n *Node) objectScript(ctx context.Context, in wire.Instance, req wire.SessionRequest) (wire.SessionReply, error) {
	m := newMarks()
	code := m.writeBegin() + "\n" + strings.TrimRight(req.Code, "\n") + "\n" + m.writeEnd() + "\nhalt\n"
	out, err := n.converse(ctx, in, []string{"session", in.Name, "-U", namespace(req)}, req, code)
	if err != nil {
		return wire.SessionReply{}, err
	}
	text, ended, err := m.cut(out.Stdout, namespace(req))
	if err != nil {
		return wire.SessionReply{}, n.explain(out, err)
	}
	return wire.SessionReply{Out: text, Err: out.Stderr, Exit: out.Exit, Failed: !ended || hasError(text)}, nil
}

// converse runs the iris command with code on standard input. An instance that
// asks who is there gets the answer in a second try: whether it asks is not
// known beforehand, and an answer nobody asked for would be run as code.
func (n *Node) converse(ctx context.Context, in wire.Instance, args []string, req wire.SessionRequest, code string) (host.Output, error) {
	run := func(stdin string) (host.Output, error) {
		c := n.asOwnerOf(in.Dir, host.Command{Path: n.Program(), Args: args, Stdin: strings.NewReader(stdin)})
		out, err := n.run(ctx, c)
		var exit *host.ExitError
		if errors.As(err, &exit) {
			err = nil // the status means nothing; what was printed does
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			err = fmt.Errorf("cannot open a session in %s: %w", in.Name, err)
		}
		return out, err
	}
	if req.User == "" {
		return run(code)
	}
	probe, err := run("halt\n")
	if err != nil {
		return probe, err
	}
	if !asksLogin(probe.Stdout) {
		return run(code)
	}
	return run(req.User + "\n" + req.Password + "\n" + code)
}

func namespace(req wire.SessionRequest) string {
	if req.Namespace == "" {
		return "USER"
	}
	return req.Namespace
}

// asksLogin reports whether the instance asked who is there.
func asksLogin(out string) bool {
	return strings.Contains(out, "Username:") || strings.Contains(out, "Access Denied")
}

// explain says why a session never came to our code.
func (n *Node) explain(out host.Output, err error) error {
	said := out.Stdout + "\n" + out.Stderr
	switch {
	case asksLogin(said):
		return &hint.Error{Err: fmt.Errorf("cannot open a session: %w", ErrLogin),
			Hint: "give a user and a password, or turn operating system authentication on for the instance's owner"}
	case strings.Contains(strings.ToLower(said), "sign-on inhibited"), strings.Contains(said, "<LICENSE LIMIT EXCEEDED>"):
		return fmt.Errorf("cannot open a session: %w: %s", ErrBusy, lastLine(said))
	}
	return fmt.Errorf("cannot open a session: %w: %s", err, lastLine(said))
}

// marks are two lines nobody else prints. They are put together at run time,
// so that a terminal that echoes its input does not print them too early.
type marks struct{ id string }

func newMarks() marks { return marks{rand.Text()[:12]} }

func (m marks) writeBegin() string { return `write !,"icm-"_"begin-` + m.id + `",!` }
func (m marks) writeEnd() string   { return `write !,"icm-"_"end-` + m.id + `",!` }

// cut returns what code printed, without prompts, and whether it came to its end.
func (m marks) cut(out, ns string) (text string, ended bool, err error) {
	out = strings.ReplaceAll(out, "\r\n", "\n")
	_, out, ok := strings.Cut(out, "icm-begin-"+m.id+"\n")
	if !ok {
		return "", false, errors.New("it ended before the code began")
	}
	out, _, ended = strings.Cut(out, "icm-end-"+m.id)
	return stripPrompts(out, ns), ended, nil
}

// anyPrompt is a prompt of a session whose code changed the namespace.
var anyPrompt = regexp.MustCompile(`^(?:[%A-Z][%A-Z0-9_-]*(?: [0-9]+[a-zA-Z][0-9]+)?>)+`)

// stripPrompts takes the prompts off, and the empty lines that each of them
// brings: a prompt begins on a new line, with an empty one before it.
func stripPrompts(out, ns string) string {
	own := regexp.MustCompile(`^(?:` + regexp.QuoteMeta(strings.ToUpper(ns)) + `(?: [0-9]+[a-zA-Z][0-9]+)?>)+`)
	var lines []string
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		rest := line
		if own.MatchString(line) {
			rest = own.ReplaceAllString(line, "")
		} else {
			rest = anyPrompt.ReplaceAllString(line, "")
		}
		if rest != line && len(lines) > 0 && lines[len(lines)-1] == "" {
			lines = lines[:len(lines)-1]
		}
		if rest != line && rest == "" {
			continue
		}
		lines = append(lines, rest)
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// errorLine is how a session shows an error of code: <UNDEFINED> *x. A line of
// output such as <HTML> has no blank in it and is no word of the list.
var errorLine = regexp.MustCompile(`(?m)^<(ACCESS DENIED|CLASS DOES NOT EXIST|CLASS PROPERTY|COMMAND|COMPILE|CORRUPT OBJECT|DATABASE|DIRECTORY|DISCONNECT|DISKHARD|DISKFULL|DIVIDE|DSCON|ECPNODE|ENDOFFILE|EXTERNAL INTERRUPT|FILEFULL|FRAMESTACK|FUNCTION|ILLEGAL VALUE|INTERRUPT|INVALID [A-Z ]+|JOB|LICENSE [A-Z ]+|LINE|LIST|LOCK|MAXNUMBER|MAXSTRING|METHOD DOES NOT EXIST|METHOD NOT SUPPORTED|NAKED|NAME|NAMESPACE|NETWORK|NO [A-Z ]+|NOLINE|NOROUTINE|NOTOPEN|OBJECT DISPATCH|PARAMETER|PRIVATE METHOD|PRIVATE PROPERTY|PROPERTY DOES NOT EXIST|PROTECT|RECOMPILE|ROUTINE|STACK|STORE|STRINGSTACK|SUBSCRIPT|SYNTAX|SYSTEM|TERMINATOR|THROW|TOOMANYCLASSES|TRANSACTION [A-Z ]+|UNDEFINED|UNIMPLEMENTED|UNKNOWN ERROR|VALUE OUT OF RANGE|WRITE)>`)

func hasError(text string) bool { return errorLine.MatchString(text) }

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.LastIndexByte(s, '\n'); i >= 0 {
		s = s[i+1:]
	}
	return strings.TrimSpace(s)
}
