package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"icm/controller/deploy"
	"icm/controller/state"
	"icm/internal/hint"
)

// The exit statuses. They are part of the interface: scripts branch on them.
const (
	ExitOK        = 0
	ExitError     = 1
	ExitRefused   = 3
	ExitPartial   = 4
	ExitLocked    = 5
	ExitCancelled = 130
)

// exitHelp stands at the end of every command's help.
const exitHelp = `Exit status:
  0    done
  1    error, also bad usage
  3    refused before anything was changed
  4    some nodes done, some not: run the same command again
  5    somebody else holds the lock
  130  cancelled
`

// usageError is a command line that cannot be understood.
type usageError struct{ text, hint string }

func (e *usageError) Error() string { return e.text }

// exitStatus sorts an error once.
func exitStatus(err error) int {
	var nodes *deploy.NodeErrors
	var refused *deploy.RefusedError
	var locked *state.LockedError
	var fenced *deploy.FencedError
	var input *deploy.InputError
	var held *deploy.HeldError
	var skipped *deploy.SkippedError
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, context.Canceled):
		return ExitCancelled
	case errors.As(err, &locked), errors.As(err, &fenced):
		return ExitLocked
	case errors.As(err, &refused), errors.As(err, &input):
		return ExitRefused
	case errors.As(err, &nodes) && nodes.Done > 0, errors.As(err, &held), errors.As(err, &skipped):
		return ExitPartial
	default:
		return ExitError
	}
}

// report prints an error as a sentence, and under it what to do next. Of errors
// that were joined each is told.
func report(w io.Writer, err error) {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		if _, nodes := err.(*deploy.NodeErrors); !nodes {
			for _, e := range all.Unwrap() {
				report(w, e)
			}
			return
		}
	}
	reportOne(w, err)
}

func reportOne(w io.Writer, err error) {
	var input *deploy.InputError
	var nodes *deploy.NodeErrors
	var refused *deploy.RefusedError
	switch {
	case errors.As(err, &input):
		for _, p := range input.Problems {
			printProblem(w, p.String(), p.Hint)
		}
	case errors.As(err, &refused):
		fmt.Fprintf(w, "icm: %v\n", refused)
		for _, r := range refused.Refusals {
			printProblem(w, r.String(), r.Hint)
		}
		printHint(w, err)
	case errors.As(err, &nodes):
		for _, ne := range nodes.Errs {
			fmt.Fprintf(w, "icm: %v\n", ne)
			printHint(w, ne)
		}
	default:
		fmt.Fprintf(w, "icm: %v\n", err)
		printHint(w, err)
	}
}

func printProblem(w io.Writer, text, hint string) {
	fmt.Fprintf(w, "icm: %s\n", text)
	if hint != "" {
		fmt.Fprintf(w, "icm: hint: %s\n", hint)
	}
}

func printHint(w io.Writer, err error) {
	var usage *usageError
	var h *hint.Error
	switch {
	case errors.As(err, &usage) && usage.hint != "":
		fmt.Fprintf(w, "icm: hint: %s\n", usage.hint)
	case errors.As(err, &h):
		fmt.Fprintf(w, "icm: hint: %s\n", h.Hint)
	}
}
