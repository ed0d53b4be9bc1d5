package deploy

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"

	"icm/controller/remote"
	"icm/controller/spec"
	"icm/controller/state"
	"icm/internal/hint"
	"icm/internal/wire"
)

// Session runs ObjectScript or SQL in the instances of the selected nodes.
func (j *Job) Session(ctx context.Context, language, code string) ([]Output, error) {
	p, err := j.instances()
	if err != nil {
		return nil, err
	}
	base := "ssh" // the guide's names of the files
	if language == "sql" {
		base = "jdbc"
	}
	return j.outputs(ctx, p, base, func(ctx context.Context, n state.Instance, out, errs *os.File) (int, error) {
		req := j.sessionRequest(n, language, code)
		j.World.Report.Report(Event{Kind: Starting, Subject: n.MachineName, Preposition: "on", Text: "Executing command in instance " + req.Instance})
		a, err := j.address(n, p.dir)
		if err != nil {
			return 0, err
		}
		node, err := j.World.Connect(ctx, a)
		if err != nil {
			return 0, err
		}
		defer node.Close()
		var reply wire.SessionReply
		if err := node.Call(ctx, wire.MethodSession, req, &reply); err != nil {
			return 0, fromAgent(err)
		}
		if _, err := out.WriteString(reply.Out); err != nil {
			return 0, err
		}
		if _, err := errs.WriteString(reply.Err); err != nil {
			return 0, err
		}
		if reply.Failed {
			return reply.Exit, fmt.Errorf("the code failed%s", firstLine(strings.TrimSpace(reply.Out+reply.Err)))
		}
		return 0, nil // the exit status of a session is the code's own number, not a verdict
	})
}

func (j *Job) sessionRequest(n state.Instance, language, code string) wire.SessionRequest {
	f := j.nodeFields(n)
	req := wire.SessionRequest{
		Instance: strings.ToUpper(f.Get("ISCInstance")), Namespace: f.Get("Namespace"),
		Language: language, Code: code,
	}
	if !j.Password.Empty() {
		req.User, req.Password = "_SYSTEM", j.Password.Reveal()
	}
	return req
}

// nodeFields are a recorded node's fields with the command line's above them.
func (j *Job) nodeFields(n state.Instance) spec.Fields {
	return spec.MakeFields(n.Fields).With(spec.FromOption, j.Fields)
}

// InteractiveSession opens a session in the instance of one node, or runs a
// routine in it, on this terminal.
func (j *Job) InteractiveSession(ctx context.Context, language, code string) error {
	return j.interactive(ctx, func(n state.Instance) (string, error) {
		return sessionLine(j.nodeFields(n), language, code)
	})
}

var (
	namespacePattern = regexp.MustCompile(`^%?[A-Za-z][A-Za-z0-9_.-]*$`)
	accountPattern   = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
)

// sessionLine is the one command line that goes through the user's shell.
// Everything in it but the code matches a pattern of harmless characters; the
// code is quoted.
func sessionLine(f spec.Fields, language, code string) (string, error) {
	owner, instance, ns := f.Get("OwnerAccount"), f.Get("ISCInstance"), f.Get("Namespace")
	for _, s := range []string{owner, instance} {
		if !accountPattern.MatchString(s) {
			return "", fmt.Errorf("%q cannot be the name of an account or instance", s)
		}
	}
	if !namespacePattern.MatchString(ns) {
		return "", hint.New(fmt.Errorf("%q cannot be the name of a namespace", ns), "-namespace DB")
	}
	if language == "sql" {
		return fmt.Sprintf("sudo -n -u %s iris sql %s -U %s", owner, instance, ns), nil
	}
	line := fmt.Sprintf("sudo -n -u %s iris session %s -U %s", owner, instance, ns)
	if code != "" {
		line += " " + remote.Quote(code)
	}
	return line, nil
}
