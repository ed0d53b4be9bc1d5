package control

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// State is what a running instance says of itself in mgr/iris.ids.
type State struct {
	PID          int
	Status       string // running, sign-on inhibited, stopping; down after a clean end
	Since        time.Time
	Health       string // ok, warn, alert, hung; blank when down
	MirrorType   string
	MirrorStatus string
	SuperServer  string
	WebServer    string
}

func statePath(mgr string) string { return filepath.Join(mgr, "iris.ids") }

// LockPath is the file a running instance keeps locked.
func LockPath(mgr string) string { return filepath.Join(mgr, "iris.lck") }

// Save writes the state beside the old one and renames it.
func (s State) Save(mgr string) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	tmp := statePath(mgr) + ".new"
	if err := os.WriteFile(tmp, data, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, statePath(mgr))
}

// LoadState reads what the instance said last; the zero State when nothing.
func LoadState(mgr string) State {
	var s State
	data, err := os.ReadFile(statePath(mgr))
	if err != nil || json.Unmarshal(data, &s) != nil {
		return State{}
	}
	return s
}

// Locked says whether a process of the instance is alive, which no file left
// behind by a dead one can pretend.
func Locked(mgr string) bool {
	f, err := os.Open(LockPath(mgr))
	if err != nil {
		return false
	}
	defer f.Close()
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	return errors.Is(err, syscall.EWOULDBLOCK)
}

// Look puts file and lock together: the status as users see it.
func Look(mgr string) State {
	s := LoadState(mgr)
	if Locked(mgr) {
		if s.Status == "" || s.Status == "down" {
			s.Status, s.Since = "sign-on inhibited", time.Now()
		}
		if h := Faults(mgr)["health"]; h != "" && s.Status == "running" {
			s.Health = h
		}
		return s
	}
	s.Health, s.MirrorType, s.MirrorStatus = "", "", ""
	if s.Status != "" && s.Status != "down" {
		s.Status = "crashed"
	} else {
		s.Status = "down"
	}
	return s
}

// Faults reads what the instance was told to get wrong: first the kit's own
// dist/standin.conf, then mgr/standin.conf.
func Faults(mgr string) map[string]string {
	out := map[string]string{}
	for _, path := range []string{filepath.Join(mgr, "..", "dist", "standin.conf"), filepath.Join(mgr, "standin.conf")} {
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for _, l := range strings.Split(string(data), "\n") {
			if k, v, ok := strings.Cut(strings.TrimSpace(l), "="); ok && !strings.HasPrefix(k, "#") {
				out[strings.TrimSpace(k)] = strings.TrimSpace(v)
			}
		}
	}
	return out
}
