package monitor

import (
	"os"
	"path/filepath"
	"testing"

	"icm/internal/wire"
)

const logLine = "05/01/26-12:00:00:000 (7) "

// say appends to messages.log.
func (w *ward) say(text string) {
	w.t.Helper()
	f, err := os.OpenFile(filepath.Join(w.root, "iris/mgr/messages.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *ward) rotate() {
	w.t.Helper()
	log := filepath.Join(w.root, "iris/mgr/messages.log")
	if err := os.Rename(log, filepath.Join(w.root, "iris/mgr/messages.old_20260501")); err != nil {
		w.t.Fatal(err)
	}
}

func TestSevereLinesAreToldOnceTheyAreNewAndUntilSomebodyHasSeenThem(t *testing.T) {
	w := newWard(t)
	w.instance()
	w.wants() // what the log said before is history
	w.say(logLine + "0 all is well\n" + logLine + "1 a warning\n")
	w.wants()
	w.say(logLine + "2 CP: Pausing users\n")
	w.wants("messages warn messages.log of IRIS has 1 severe line: .*CP: Pausing users")
	w.say(logLine + "3 Journaling is off\n" + logLine + "2 and more\n")
	w.wants("messages alert messages.log of IRIS has 3 severe lines, the last: .*and more")
	w.restart()
	w.wants("messages alert messages.log of IRIS has 3 severe lines")
	if _, err := w.mon.Health(t.Context(), wire.HealthRequest{Seen: true}); err != nil {
		t.Fatal(err)
	}
	w.wants()
	w.restart()
	w.wants()
	w.say(logLine + "2 again\n")
	w.wants("messages warn messages.log of IRIS has 1 severe line: .*again")
}

func TestARotatedLogIsReadToItsEndFirst(t *testing.T) {
	w := newWard(t)
	w.instance()
	w.wants()
	w.say(logLine + "2 the last of the old\n")
	w.rotate()
	w.say(logLine + "2 the first of the new\n")
	w.restart() // and all of that while the agent was away
	w.wants("messages warn messages.log of IRIS has 2 severe lines, the last: .*the first of the new")
	w.say(logLine + "2 more\n")
	w.rotate()
	w.wants("messages warn messages.log of IRIS has 3 severe lines") // none is there for a moment
	w.say(logLine + "0 nothing\n")
	w.wants("messages warn messages.log of IRIS has 3 severe lines")
}

func TestALineThatIsNotWholeYetIsReadLater(t *testing.T) {
	w := newWard(t)
	w.instance()
	w.wants()
	w.say(logLine + "2 half")
	w.wants()
	w.say(" and whole\n")
	w.wants("messages warn .*half and whole")
}

func TestALogThatWasEmptiedIsReadFromItsBeginning(t *testing.T) {
	w := newWard(t)
	w.instance()
	w.say(logLine + "0 much text much text much text\n")
	w.wants()
	if err := os.Truncate(filepath.Join(w.root, "iris/mgr/messages.log"), 0); err != nil {
		t.Fatal(err)
	}
	w.say(logLine + "2 new\n")
	w.wants("messages warn .*2 new")
}
