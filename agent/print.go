package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"

	"icm/agent/engine"
	"icm/internal/wire"
)

// printJournal prints the task journal for people, one line for each event.
func printJournal(w world) error {
	out := bufio.NewWriter(w.Out)
	err := engine.ReadJournal(w.home(), func(e wire.Event) error { return printEvent(out, e) })
	return errors.Join(err, out.Flush())
}

func printEvent(out io.Writer, e wire.Event) error {
	what := "change " + e.Change
	if e.Task != "" {
		what += " task " + e.Task
	}
	if _, err := fmt.Fprintf(out, "%6d %s %s", e.Seq, e.Time.Format(time.RFC3339), what); err != nil {
		return err
	}
	for _, word := range []struct{ before, text string }{
		{" is ", string(e.Status)}, {": ", e.Line}, {": ", e.Error}, {" (hint: ", e.Hint},
	} {
		if word.text == "" {
			continue
		}
		if word.before == " (hint: " {
			word.text += ")"
		}
		if _, err := fmt.Fprint(out, word.before, word.text); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(out)
	return err
}
