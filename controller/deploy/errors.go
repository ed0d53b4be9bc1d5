package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"icm/controller/spec"
	"icm/internal/hint"
	"icm/internal/wire"
)

// InputError is what is wrong with the input files, all of it.
type InputError struct{ Problems spec.Problems }

func (e *InputError) Error() string {
	if len(e.Problems) == 1 {
		return e.Problems[0].String()
	}
	return fmt.Sprintf("%d problems in the input files, the first: %s", len(e.Problems), e.Problems[0])
}

// RefusedError means that nothing was changed, because something would have
// gone wrong.
type RefusedError struct {
	Text     string
	Refusals []Refusal
}

func (e *RefusedError) Error() string { return e.Text }

// String is the refusal as a sentence.
func (r Refusal) String() string {
	if r.Node == "" {
		return r.Text
	}
	return fmt.Sprintf("node %s: %s", r.Node, r.Text)
}

// CancelledError means that the operator stopped a command. It is a
// context.Canceled.
type CancelledError struct {
	// Begun is false when nothing was changed.
	Begun bool
	// AtWork are the nodes that were at work; their agents go on.
	AtWork []string
}

func (e *CancelledError) Error() string {
	switch {
	case !e.Begun:
		return "cancelled: nothing was changed"
	case len(e.AtWork) == 0:
		return "cancelled: nothing more is begun, and no node is at work"
	default:
		return "cancelled: nothing more is begun; what was begun on " + strings.Join(e.AtWork, ", ") + " goes on there by itself"
	}
}

// Is makes it what every cancelled context is.
func (e *CancelledError) Is(target error) bool { return target == context.Canceled }

// refuse makes an error for something that concerns the whole operation.
func refuse(text, hintText string) error {
	return hint.New(&RefusedError{Text: text}, hintText)
}

// changeError is how a change ended that did not do what was asked, with what
// became of its tasks.
func changeError(cs wire.ChangeState) error {
	if cs.Status == wire.StatusDone {
		return nil
	}
	text := cs.Error
	var undone, stuck []string
	for i, t := range cs.Tasks {
		summary := cs.Change.Tasks[i].Summary
		switch {
		case t.Status == wire.StatusUndone:
			undone = append(undone, summary)
		case t.Status == wire.StatusError && text == "":
			text = summary + ": " + t.Error
		case t.Status == wire.StatusDone && cs.Status != wire.StatusDone && cs.Change.OnError == wire.Undo:
			stuck = append(stuck, summary)
		}
	}
	if text == "" {
		text = "the change ended as " + string(cs.Status)
	}
	if len(undone) > 0 {
		text += "; undone: " + strings.Join(undone, ", ")
	}
	if len(stuck) > 0 {
		text += "; not undone: " + strings.Join(stuck, ", ")
	}
	err := errors.New(text)
	if cs.Hint == "" {
		return err
	}
	return hint.New(err, cs.Hint)
}

// FencedError means that a node refused this icm, because another one took the
// deployment over.
type FencedError struct{ err error }

func (e *FencedError) Error() string { return e.err.Error() }
func (e *FencedError) Unwrap() error { return e.err }

// fromAgent gives an agent's error its hint back.
func fromAgent(err error) error {
	var we *wire.Error
	if !errors.As(err, &we) {
		return err
	}
	h := we.Hint
	switch we.Code {
	case wire.CodeFenced:
		err = &FencedError{err}
	case wire.CodeForeign:
		h = orElse(h, "the node belongs to another deployment; unprovision it there first")
	}
	if h == "" {
		return err
	}
	return hint.New(err, h)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
