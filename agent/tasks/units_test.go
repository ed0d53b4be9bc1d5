package tasks

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	systemd "github.com/coreos/go-systemd/v22/unit"

	"icm/agent/unit"
)

// fakeUnits keeps unit files in memory and really mounts what a mount unit
// says, the way systemd does with mount(8). UUIDs are resolved by table.
type fakeUnits struct {
	t       *testing.T
	files   map[string]string
	enabled map[string]bool
	active  map[string]bool
	devices map[string]string // What → device
	calls   []string
	fail    map[string]error // "start NAME" → error
}

func newFakeUnits(t *testing.T) *fakeUnits {
	u := &fakeUnits{t: t, files: map[string]string{}, enabled: map[string]bool{}, active: map[string]bool{}, devices: map[string]string{}, fail: map[string]error{}}
	t.Cleanup(func() {
		for name := range u.files {
			_ = u.Stop(context.Background(), name)
		}
	})
	return u
}

func (u *fakeUnits) note(verb, name string) error {
	call := strings.TrimSpace(verb + " " + name)
	u.calls = append(u.calls, call)
	return u.fail[call]
}

func (u *fakeUnits) Read(name string) (string, bool, error) {
	text, ok := u.files[name]
	if ok && !strings.HasPrefix(text, unit.Marker) {
		return "", false, fmt.Errorf("cannot use unit %s: %w", name, unit.ErrForeign)
	}
	return text, ok, nil
}

func (u *fakeUnits) Write(_ context.Context, name, text string) error {
	u.files[name] = text
	return u.note("write", name)
}

func (u *fakeUnits) Remove(ctx context.Context, name string) error {
	if err := u.Stop(ctx, name); err != nil {
		return err
	}
	delete(u.files, name)
	delete(u.enabled, name)
	return u.note("remove", name)
}

func (u *fakeUnits) Abandon(_ context.Context, name string) error {
	delete(u.files, name)
	delete(u.enabled, name)
	return u.note("abandon", name)
}

func (u *fakeUnits) Reload(context.Context) error { return u.note("reload", "") }

func (u *fakeUnits) Enable(_ context.Context, name string) error {
	u.enabled[name] = true
	return u.note("enable", name)
}

func (u *fakeUnits) Disable(_ context.Context, name string) error {
	u.enabled[name] = false
	return u.note("disable", name)
}

func (u *fakeUnits) setting(name, key string) string {
	for line := range strings.Lines(u.files[name]) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			return v
		}
	}
	return ""
}

func (u *fakeUnits) Start(_ context.Context, name string) error {
	if err := u.note("start", name); err != nil || u.active[name] {
		return err
	}
	if strings.HasSuffix(name, ".mount") {
		what, where := u.setting(name, "What"), u.setting(name, "Where")
		if got := systemd.UnitNamePathEscape(where) + ".mount"; got != name {
			u.t.Errorf("unit %s mounts at %s: systemd wants the name %s", name, where, got)
		}
		if err := unix.Mount(u.devices[what], filepath.Clean(where), u.setting(name, "Type"), unix.MS_NOATIME, ""); err != nil {
			return fmt.Errorf("cannot mount %s: %v", what, err)
		}
	}
	u.active[name] = true
	return nil
}

func (u *fakeUnits) Stop(_ context.Context, name string) error {
	if err := u.note("stop", name); err != nil || !u.active[name] {
		return err
	}
	if strings.HasSuffix(name, ".mount") {
		if err := unix.Unmount(u.setting(name, "Where"), 0); err != nil {
			return err
		}
	}
	u.active[name] = false
	return nil
}

func (u *fakeUnits) Restart(_ context.Context, name string) error { return u.note("restart", name) }

func (u *fakeUnits) ReloadUnit(_ context.Context, name string) error {
	return u.note("reload", name)
}

func (u *fakeUnits) Status(_ context.Context, name string) (unit.Status, error) {
	st := unit.Status{Load: "loaded", Active: "inactive", File: "disabled"}
	if u.enabled[name] {
		st.File = "enabled"
	}
	if u.active[name] {
		st.Active = "active"
	}
	return st, nil
}
