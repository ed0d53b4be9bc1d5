package instance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"icm/labkit/internal/control"
)

func TestAnAcknowledgedWriteIsOnTheBackup(t *testing.T) {
	t.Parallel()
	_, a, b := pair(t, "")
	a.run("APP", `set ^x=1`)
	if got := b.run("APP", `write ^x`); got != "1" {
		t.Errorf("the backup has %q", got)
	}
	if _, err := b.try("APP", `set ^x=2`); err == nil || err.Error()[:9] != "<PROTECT>" {
		t.Errorf("the backup can be written: %v", err)
	}
}

func TestABackupTakesOverFromAPrimaryThatStops(t *testing.T) {
	t.Parallel()
	_, a, b := pair(t, "")
	a.run("APP", `set ^x=1`)
	a.stop()
	b.becomes("Primary")
	b.run("APP", `set ^x=2`)
	a.start()
	a.becomes("Backup")
	a.holds("^x", "2")
}

func TestABackupTakesOverFromAPrimaryThatDies(t *testing.T) {
	t.Parallel()
	_, a, b := pair(t, "")
	a.run("APP", `for i=1:1:20 set ^x(i)=i`)
	a.crash()
	b.becomes("Primary")
	if got := b.run("APP", `write ^x(20)`); got != "20" {
		t.Errorf("the new primary has %q", got)
	}
}

func TestABackupDoesNotTakeOverWhenToldNotTo(t *testing.T) {
	t.Parallel()
	_, a, b := pair(t, "")
	a.halt(a.i.shutDown(true))
	b.becomes("Waiting")
	a.start()
	a.becomes("Primary")
	b.becomes("Backup")
}

func TestAnUnacknowledgedTailIsRolledBack(t *testing.T) {
	t.Parallel()
	n, a, b := pair(t, fmt.Sprintf(`,m("ArbiterNode")="%s"`, "127.0.0.1|1")) // nobody is there
	a.run("APP", `set ^x=1`)
	failed := make(chan error, 1)
	m := a.i.mirror
	m.mu.Lock()
	m.conf.Arbitrated, m.followers["B"].arbitrated = true, true // as if agreed before the arbiter went away
	n.set(a.addr, b.addr, true)
	m.mu.Unlock()
	i := a.i
	go func() {
		s := i.Set("APP", "x\x00", "lost")
		failed <- s
	}()
	a.becomes("In Trouble")
	a.crash()
	if err := <-failed; err == nil {
		t.Error("a write was acknowledged that no backup has")
	}
	b.becomes("Waiting")
	n.set(a.addr, b.addr, false)
	b.becomes("Primary")
	b.run("APP", `set ^x=2`)
	a.start()
	a.becomes("Backup")
	a.holds("^x", "2")
	b.stop()
	a.becomes("Primary")
	if got := a.run("APP", `write ^x`); got != "2" {
		t.Errorf("after going back the former primary has %q", got)
	}
}

func TestAStopThatIsNotCleanLosesNothing(t *testing.T) {
	t.Parallel()
	h := newMachine(t, &network{cut: map[[2]string]bool{}}, era)
	h.misbehave("dirty-stop=1")
	h.start()
	h.run("USER", `set ^x=1`)
	if err := h.i.shutDown(false); !errors.Is(err, errDirty) {
		t.Errorf("the stop ended with %v", err)
	}
	h.halt(nil)
	log, err := os.ReadFile(filepath.Join(h.reg.Mgr(), "messages.log"))
	must(t, err)
	if strings.Contains(string(log), "not required at next startup") {
		t.Error("the log says that the stop was clean")
	}
	if s := control.Look(h.reg.Mgr()).Status; s != "crashed" {
		t.Errorf("the status is %s", s)
	}
	h.misbehave("")
	h.start()
	if got := h.run("USER", `write ^x`); got != "1" {
		t.Errorf("after the restore there is %q", got)
	}
}

func TestAnAsyncHasWhatItsPrimaryAcknowledgedAndNeverLeads(t *testing.T) {
	t.Parallel()
	n := &network{cut: map[[2]string]bool{}}
	a, dr := newMachine(t, n, era), newMachine(t, n, era)
	a.start()
	dr.start()
	a.create("")
	dr.joinAsync(a, "DR", 0)
	a.database()
	dr.database()
	a.run("APP", `set ^x=1`)
	dr.holds("^x", "1")
	if got := dr.run("%SYS", `write $list($SYSTEM.Mirror.GetMemberStatus(),2)`); got != "Caught up" {
		t.Errorf("with all records it says %q", got)
	}
	a.crash()
	dr.becomes("Waiting")
	a.start()
	a.becomes("Primary")
	dr.becomes("Connected")
}
