package monitor

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"icm/agent/engine"
	"icm/agent/tasks"
	"icm/agent/webgateway"
	"icm/internal/cpf"
	"icm/internal/kind"
	"icm/internal/secret"
	"icm/internal/wire"
)

// worked is a ward whose engine and kinds are the real ones.
type worked struct {
	*ward
	eng *engine.Engine
}

func newWorked(t *testing.T) worked {
	t.Helper()
	w := newWard(t)
	home := filepath.Join(w.root, "home")
	eng, err := engine.Open(home, tasks.Kinds(tasks.Deps{Root: w.root, Home: home}), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- eng.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := eng.Close(); err != nil {
			t.Error(err)
		}
	})
	w.mon.Engine = eng
	return worked{w, eng}
}

var ourFence = wire.Fence{Deployment: "ICM-1", Number: 1}

// runs runs a change to its end.
func (w worked) runs(id string, list ...wire.Task) {
	w.t.Helper()
	ctx := w.t.Context()
	for i := range list {
		list[i].ID = list[i].Kind
	}
	if _, err := w.eng.Submit(ctx, wire.SubmitRequest{Fence: ourFence, Change: wire.Change{ID: id, OnError: wire.Undo, Tasks: list}}); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.eng.Events(ctx, 0, id, true, func(wire.Item) error { return nil }); err != nil {
		w.t.Fatal(err)
	}
	state, err := w.eng.Changes(ctx, id)
	if err != nil || state[0].Status != wire.StatusDone {
		w.t.Fatalf("change %s ended as %+v, %v", id, state, err)
	}
}

func (w worked) look(task wire.Task) {
	w.t.Helper()
	looks, err := w.eng.Look(w.t.Context(), []wire.Task{task})
	if err != nil {
		w.t.Fatal(err)
	}
	w.mon.Settled([]wire.Task{task}, looks)
}

const swappiness = "proc/sys/vm/swappiness"

func TestWhatIsNotAsItsKindSetItIsFoundByTheKindsOwnLook(t *testing.T) {
	w := newWorked(t)
	w.write(swappiness, "60\n")
	set := func(value string) wire.Task {
		return task(t, kind.KernelSet, kind.Kernel{Sysctl: map[string]string{"vm.swappiness": value}})
	}
	w.wants()
	w.runs("1", set("5"))
	w.wants()

	w.write(swappiness, "60\n")
	w.wants("kernel warn vm.swappiness is 60, set was 5")
	w.write("etc/sysctl.d/90-icm.conf", "vm.swappiness = 60\n")
	w.wants("kernel warn vm.swappiness is 60, set was 5; /etc/sysctl.d/90-icm.conf is other settings, set was vm.swappiness = 5")
	w.restart()
	w.mon.Engine = w.eng
	w.wants("kernel warn vm.swappiness is 60")

	// The site changes its mind, and the node is so already.
	w.write("etc/sysctl.d/90-icm.conf", "# Written by icm-agent. Changes are lost when icm runs again.\nvm.swappiness = 60\n")
	w.look(set("60"))
	w.wants()
	w.write(swappiness, "5\n")
	w.wants("kernel warn vm.swappiness is 5, set was 60")

	w.runs("2", task(t, kind.NodeRestore, kind.Restore{Kinds: []string{kind.KernelSet}}))
	w.wants()
}

func TestWhatWasAsWantedBeforeIcmCameHasToStaySo(t *testing.T) {
	w := newWorked(t)
	w.write(swappiness, "5\n")
	wanted := task(t, kind.KernelSet, kind.Kernel{Sysctl: map[string]string{"vm.swappiness": "5"}})
	w.write("etc/sysctl.d/90-icm.conf", "# Written by icm-agent. Changes are lost when icm runs again.\nvm.swappiness = 5\n")
	w.look(wanted)
	w.wants() // it belongs to no deployment yet
	if _, err := w.eng.Announce(t.Context(), wire.AnnounceRequest{Fence: ourFence, Operation: "1", Plan: "p"}); err != nil {
		t.Fatal(err)
	}
	w.look(wanted)
	w.wants()
	w.write(swappiness, "60\n")
	w.wants("kernel warn vm.swappiness is 60, set was 5")
}

// TestAWebGatewayThatWasSetHasToStaySo, down to a server that somebody took out
// on the management page.
func TestAWebGatewayThatWasSetHasToStaySo(t *testing.T) {
	w := newWorked(t)
	if _, err := w.eng.Announce(t.Context(), wire.AnnounceRequest{Fence: ourFence, Operation: "1", Plan: "p"}); err != nil {
		t.Fatal(err)
	}
	conf := kind.GatewayConfig{Servers: []kind.GatewayServer{{Name: "AM-1", Address: "10.0.0.1", Port: 1972}}}
	f := cpf.Parse(nil)
	if _, err := webgateway.Apply(f, conf, webgateway.Record{}, secret.Secret{}); err != nil {
		t.Fatal(err)
	}
	const ini = "opt/webgateway/bin/CSP.ini"
	good := string(f.Bytes())
	for path, text := range map[string]string{ini: good, "opt/webgateway/bin/CSPa24.so": "", "etc/apache2/apache2.conf": "", "usr/sbin/apache2": ""} {
		w.write(path, text)
	}
	w.look(task(t, kind.GatewayConfigure, conf))
	w.wants()
	w.write(ini, strings.Replace(good, "Ip_Address=10.0.0.1", "Ip_Address=10.0.0.9", 1))
	w.wants(`gateway warn CSP.ini \[AM-1\] Ip_Address is 10.0.0.9, set was 10.0.0.1`)
	w.write(ini, good)
	w.wants()
	w.write(ini, "")
	w.runs("2", task(t, kind.GatewayRemove, kind.Gateway{}))
	w.wants()
}

func TestWhatAnUndoneChangeSetIsNotMissed(t *testing.T) {
	w := newWorked(t)
	w.write(swappiness, "60\n")
	w.runs("1", task(t, kind.KernelSet, kind.Kernel{Sysctl: map[string]string{"vm.swappiness": "5"}}))
	w.wants()
	if _, err := w.eng.Abort(t.Context(), wire.AbortRequest{Fence: ourFence, Change: "1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.eng.Events(t.Context(), 0, "1", true, func(wire.Item) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(w.root, swappiness)); err != nil || string(text) != "60\n" {
		t.Fatalf("the undo left %q, %v", text, err)
	}
	w.wants()
}

func TestWhatAnotherDeploymentSetIsNoneOfOurs(t *testing.T) {
	w := newWorked(t)
	w.write(swappiness, "60\n")
	w.runs("1", task(t, kind.KernelSet, kind.Kernel{Sysctl: map[string]string{"vm.swappiness": "5"}}))
	w.wants()
	w.write(swappiness, "60\n")
	if err := w.eng.Release(t.Context(), ourFence); err != nil {
		t.Fatal(err)
	}
	w.wants()
}
