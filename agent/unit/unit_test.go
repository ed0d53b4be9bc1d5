package unit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
)

func silent(t *testing.T) *Manager {
	m := New(t.TempDir())
	m.dial = func(context.Context) (*dbus.Conn, error) { return nil, errors.New("nobody there") }
	return m
}

func TestMountUnitsHaveTheNameSystemdDemands(t *testing.T) {
	for path, want := range map[string]string{
		"/irissys/data": "irissys-data.mount",
		"/a-b/c":        `a\x2db-c.mount`,
		"/with space":   `with\x20space.mount`,
	} {
		if got := MountName(path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}

func TestAUnitOfSomebodyElseIsNeitherReadNorOverwrittenNorRemoved(t *testing.T) {
	m := silent(t)
	path := m.Path("a.mount")
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("[Mount]\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	_, _, readErr := m.Read("a.mount")
	for what, err := range map[string]error{
		"read": readErr, "write": m.Write(context.Background(), "a.mount", "[Unit]\n"), "remove": m.Remove(context.Background(), "a.mount"),
	} {
		if !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "[Mount]\n" {
		t.Errorf("it now says %q, %v", data, err)
	}
}

func TestAUnitFileIsMarkedAsOurs(t *testing.T) {
	m := silent(t)
	if err := m.Write(context.Background(), "a.service", "[Unit]\n"); err == nil || !strings.Contains(err.Error(), "systemd cannot be reached") {
		t.Errorf("without systemd, write says %v", err)
	}
	text, found, err := m.Read("a.service")
	if err != nil || !found || text != Marker+"[Unit]\n" {
		t.Errorf("it says %q, %v, %v", text, found, err)
	}
	if _, found, err := m.Read("b.service"); found || err != nil {
		t.Errorf("a unit that is not there: %v, %v", found, err)
	}
}

func TestAFailedJobTellsTheUnitsLastWords(t *testing.T) {
	err := error(&JobError{Verb: "start", Unit: "a.mount", Result: "failed", Log: []string{"one", "two"}})
	if got := err.Error(); got != `cannot start a.mount: systemd says "failed": one | two` {
		t.Errorf("it says %s", got)
	}
	c := journalCommand("a.mount", time.Unix(7, 0))
	if got := strings.Join(c.Args, " "); got != "--no-pager --quiet --output=cat --lines=10 --since=@7 --unit=a.mount" {
		t.Errorf("the journal is asked %s", got)
	}
}
