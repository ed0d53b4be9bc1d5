package instance

import (
	"os"
	"strings"
	"testing"

	"icm/labkit/internal/control"
)

// reigns is what the members of a mirror wrote down.
func reigns(t *testing.T, members ...*machine) []string {
	t.Helper()
	var out []string
	for _, h := range members {
		data, err := os.ReadFile(control.ReignsPath(h.reg.Mgr()))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		out = append(out, string(data))
	}
	return out
}

// misbehave writes the fault file.
func (h *machine) misbehave(faults string) {
	h.t.Helper()
	must(h.t, os.WriteFile(h.reg.Mgr()+"/standin.conf", []byte(faults+"\n"), 0o644))
}

func TestFailoversAreNoSplitBrain(t *testing.T) {
	t.Parallel()
	_, a, b := pair(t, "")
	a.run("APP", `set ^x=1`)
	a.stop()
	b.becomes("Primary")
	b.run("APP", `set ^x=2`)
	a.start()
	a.becomes("Backup")
	b.crash()
	a.becomes("Primary")
	b.start()
	b.becomes("Backup")
	told := reigns(t, a, b)
	if all := strings.Join(told, ""); strings.Count(all, "reign MIR ") != 3 {
		t.Errorf("three reigns are recorded as\n%s", all)
	}
	if found := control.SplitBrains(told...); len(found) > 0 {
		t.Errorf("failovers count as a split brain: %v", found)
	}
}

func TestTwoPrimariesAfterACutAreRecordedWithWhatTheyCost(t *testing.T) {
	t.Parallel()
	n, a, b := pair(t, "")
	a.run("APP", `set ^x=1`)
	b.misbehave("mirror-split-brain=1")
	n.set(a.addr, b.addr, true)
	b.becomes("Primary")
	b.run("APP", `set ^x="b"`)
	a.eventually("writes alone", func() bool { _, err := a.try("APP", `set ^x="a"`); return err == nil })
	b.misbehave("")
	n.set(a.addr, b.addr, false)
	a.becomes("Backup") // b's epoch is the higher one
	a.holds("^x", "b")
	found := strings.Join(control.SplitBrains(reigns(t, a, b)...), "\n")
	if !strings.Contains(found, "A acknowledged 1 records of database APP that mirror MIR went on without") {
		t.Errorf("the lost write is not recorded: %q", found)
	}
}

func TestTwoPrimariesOfOneEpochAreRecordedAndStopWriting(t *testing.T) {
	t.Parallel()
	n, a, b := pair(t, "")
	a.run("APP", `set ^x=1`)
	n.set(a.addr, b.addr, true)
	b.becomes("Waiting")
	a.crash()
	for _, h := range []*machine{a, b} {
		h.misbehave("mirror-split-brain=1")
	}
	a.start()
	a.becomes("Primary")
	b.becomes("Primary")
	n.set(a.addr, b.addr, false)
	for _, h := range []*machine{a, b} {
		h.becomes("Error")
		if _, err := h.try("APP", `set ^x=2`); err == nil {
			t.Errorf("%s still acknowledges writes", h.addr)
		}
	}
	found := strings.Join(control.SplitBrains(reigns(t, a, b)...), "\n")
	if !strings.Contains(found, "A and B were both primary of mirror MIR in epoch 2") {
		t.Errorf("the split brain is not recorded: %q", found)
	}
}

func TestACutLinkShows(t *testing.T) {
	t.Parallel()
	n, a, b := pair(t, "")
	n.set(a.addr, b.addr, true)
	b.becomes("Waiting")
	a.eventually("the primary takes the backup for down", func() bool {
		return strings.Contains(a.run("%SYS", `do ##class(SYS.Mirror).MemberStatusList()`), "member B Failover: Down; Disconnected; Disconnected")
	})
	for h, want := range map[*machine]string{a: "Primary", b: "Waiting"} {
		if got := control.LoadState(h.reg.Mgr()).MirrorStatus; got != want {
			t.Errorf("iris list of %s says %s, want %s", h.addr, got, want)
		}
	}
	n.set(a.addr, b.addr, false)
	b.becomes("Backup")
}

func TestWhatCannotBeReadOfReignsIsTold(t *testing.T) {
	t.Parallel()
	if found := control.SplitBrains("reign MIR A 1 1048577 x\n", "reign MIR"); len(found) != 1 || found[0] != `cannot read "reign MIR"` {
		t.Errorf("found %q", found)
	}
}
