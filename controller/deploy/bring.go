package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"icm/controller/kitsource"
	"icm/controller/remote"
	"icm/internal/kind"
	"icm/internal/wire"
)

// bring sends a node the kits that a change takes from the controller, before
// the node is asked to begin it. A node that has a kit already, or has taken
// the change over, is sent nothing.
func (r *runner) bring(ctx context.Context, node Node, id string, ch NodeChange) error {
	for _, s := range ch.Tasks {
		var k kind.Kit
		if s.Kind != kind.KitFetch || json.Unmarshal(s.Args, &k) != nil || !brought(k) {
			continue
		}
		need, err := needsKit(ctx, node, id, s.Task)
		if err != nil {
			return fromAgent(err)
		}
		if !need {
			continue
		}
		source, ok := r.kits[k.SHA256]
		if !ok {
			return noKit(k)
		}
		if err := r.send(ctx, node, ch.Node, s.ID, source.Source); err != nil {
			return err
		}
	}
	return nil
}

// brought reports whether the controller brings a kit.
func brought(k kind.Kit) bool { return strings.HasPrefix(k.URL, kind.FromController) }

// wordsOf are what the operator reads of a task. What the controller brought is
// only checked on the node.
func wordsOf(t wire.Task) kind.Info {
	info := kind.Table[t.Kind]
	var k kind.Kit
	if t.Kind == kind.KitFetch && json.Unmarshal(t.Args, &k) == nil && brought(k) {
		info.Doing, info.Done = "Checking kit", "checked kit"
	}
	return info
}

// needsKit asks a node whether it still has to be sent what a task takes.
func needsKit(ctx context.Context, node Node, id string, task wire.Task) (bool, error) {
	var known wire.ChangesReply
	err := ask(ctx, node, wire.MethodChanges, wire.ChangesRequest{ID: id}, &known)
	var said *wire.Error
	if unknown := errors.As(err, &said) && said.Code == wire.CodeNotFound; err != nil && !unknown {
		return false, err
	}
	if len(known.Changes) > 0 {
		return false, nil // it was submitted after the kit had come
	}
	var reply wire.LookReply
	err = ask(ctx, node, wire.MethodLook, wire.LookRequest{Tasks: []wire.Task{task}}, &reply)
	return err == nil && !(len(reply.Looks) == 1 && reply.Looks[0].Satisfied), err
}

// send streams a kit to one node, again when the line broke under it.
func (r *runner) send(ctx context.Context, node Node, name, task string, source kitsource.Source) error {
	r.report.Report(Event{Kind: Starting, Subject: name, Preposition: "to", Text: "Sending kit"})
	var err error
	for range asks {
		err = r.sendOnce(ctx, node, name, task, source)
		if !errors.Is(err, remote.ErrLost) || ctx.Err() != nil {
			break
		}
		// The next call mends the line.
		if err := ask(ctx, node, wire.MethodChanges, wire.ChangesRequest{}, &wire.ChangesReply{}); err != nil {
			return fromAgent(err)
		}
	}
	if err != nil {
		r.report.Report(Event{Kind: Failed, Subject: name, Preposition: "to", Text: "could not send kit", Err: err})
		return err
	}
	r.report.Report(Event{Kind: Finished, Subject: name, Preposition: "to", Text: "sent kit"})
	return nil
}

func (r *runner) sendOnce(ctx context.Context, node Node, name, task string, source kitsource.Source) (err error) {
	in, err := source.Reader()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	moved := &counted{Reader: in, told: func(done int64) {
		r.report.Report(Event{Kind: Moved, Subject: name, Text: "Sending " + source.Name, Progress: wire.Progress{
			Task: task, Done: done, Total: source.Size, Unit: "bytes",
		}})
	}}
	return node.Put(ctx, source.Name, moved, source.Size, source.SHA256)
}

// counted tells how far a reader is, once for each so many bytes.
type counted struct {
	io.Reader
	told       func(done int64)
	done, said int64
}

const tellEach = 4 << 20

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.done += int64(n)
	if c.done-c.said >= tellEach {
		c.said = c.done
		c.told(c.done)
	}
	return n, err
}
