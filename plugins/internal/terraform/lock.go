package terraform

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"icm/plugins/provider"
)

// workFile is locked by whoever works on a deployment, and says who that is.
const workFile = "provider.lock"

// worker says who works on a deployment.
type worker struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	What  string    `json:"what"` // "provision"
	Since time.Time `json:"since"`
}

// errBusy means that somebody else works on the deployment.
var errBusy = errors.New("somebody else is at work")

// takeWork makes sure that nobody else works on the deployment in root. The
// kernel gives the lock back when this process ends, however it ends.
func takeWork(root, what string) (free func(), err error) {
	path := filepath.Join(root, workFile)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		defer f.Close()
		return nil, busy(f, root, what)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot lock %s: %w", path, err), f.Close())
	}
	host, _ := os.Hostname() // for people: a host without a name has none
	text, err := json.Marshal(worker{PID: os.Getpid(), Host: host, What: what, Since: time.Now().Truncate(time.Second)})
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(append(text, '\n'), 0)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}

func busy(f *os.File, root, what string) error {
	who := "another process"
	var w worker
	if json.NewDecoder(f).Decode(&w) == nil && w.PID != 0 {
		who = fmt.Sprintf("process %d on %s, which began to %s at %s,", w.PID, w.Host, w.What, w.Since.Format(time.TimeOnly))
	}
	return fmt.Errorf("%w: %w", errBusy, &provider.Error{
		Message: fmt.Sprintf("cannot %s: %s is at work on %s", what, who, root),
		Hint:    "wait until it has finished, then run the command again",
		Kind:    provider.KindRefused,
	})
}
