package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"icm/internal/wire"
)

const lockFormat = 1

// Owner is who holds, or held, the lock.
type Owner struct {
	User    string    `json:"user"`
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Since   time.Time `json:"since"`
	Command string    `json:"command"` // "icm install"
	// Started is the start time of the process, in clock ticks since boot,
	// and Boot the boot it counts from: a pid alone may belong to somebody
	// else by now.
	Started uint64 `json:"started"`
	Boot    string `json:"boot"`
	// Machine is /etc/machine-id: two machines may have one host name.
	Machine string `json:"machine,omitempty"`
}

func (o Owner) String() string {
	return fmt.Sprintf("held by %s@%s, pid %d, since %s: %s",
		o.User, o.Host, o.PID, o.Since.Local().Format("2006-01-02 15:04"), o.Command)
}

// LockedError means that somebody else is changing the deployment.
type LockedError struct {
	Owner Owner
	Dir   string
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("the deployment %s is locked: %s", filepath.Base(e.Dir), e.Owner)
}

// record is lock.json. It is never removed: it carries the fencing number on.
type record struct {
	Format int    `json:"format"`
	Fence  uint64 `json:"fence"` // of the newest lock there was
	// Owner is nil when nobody holds the lock.
	Owner *Owner `json:"owner,omitempty"`
	// Forced are the locks that were taken away.
	Forced []Forced `json:"forced,omitempty"`
}

// Forced is one use of `icm unlock -force`.
type Forced struct {
	By   Owner `json:"by"`
	From Owner `json:"from"`
}

// Lock is the right to change the deployment.
type Lock struct {
	dir   *Dir
	file  *os.File
	fence uint64
}

// Fence is the number by which nodes tell a newer lock from an older one.
func (l *Lock) Fence() wire.Fence { return wire.Fence{Deployment: l.dir.ID, Number: l.fence} }

// Lock takes the lock for command, such as "icm install". A lock whose process
// has died on this machine is taken over; one from another machine is not,
// because nobody can know. The error is a *LockedError when somebody else has
// it.
func (d *Dir) Lock(command string, now time.Time) (*Lock, error) {
	file, err := d.flock(unix.LOCK_EX | unix.LOCK_NB)
	if err != nil {
		return nil, err
	}
	lock, err := d.lockWith(file, command, now)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return lock, nil
}

func (d *Dir) lockWith(file *os.File, command string, now time.Time) (*Lock, error) {
	me, err := self(command, now)
	if err != nil {
		return nil, fmt.Errorf("cannot lock: %w", err)
	}
	r, err := d.readLock()
	if err != nil {
		return nil, err
	}
	// We have the flock; an owner that is left is one that died, or one on
	// another machine, where flock does not reach.
	if r.Owner != nil && (!r.Owner.sameMachine(me) || r.Owner.alive(me)) {
		return nil, &LockedError{Owner: *r.Owner, Dir: d.Path}
	}
	r.Fence++
	r.Owner = &me
	if err := errors.Join(d.used(), d.writeLock(r)); err != nil {
		return nil, err
	}
	return &Lock{dir: d, file: file, fence: r.Fence}, nil
}

// flock opens the file called lock and locks it. The kernel gives it back when
// the process dies, however that happens.
func (d *Dir) flock(how int) (*os.File, error) {
	path := filepath.Join(d.Path, "lock")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock: %w", err)
	}
	err = unix.Flock(int(file.Fd()), how)
	if err == nil {
		err = stillThere(file, path)
	}
	if err == nil {
		return file, nil
	}
	err = errors.Join(fmt.Errorf("cannot lock %s: %w", path, err), file.Close())
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return nil, err
	}
	r, readErr := d.readLock()
	if readErr != nil {
		return nil, readErr
	}
	if r.Owner == nil { // it has the file and has not yet written who it is, or gives it back just now
		r.Owner = &Owner{User: "somebody", Host: "this machine", Command: "icm"}
	}
	return nil, &LockedError{Owner: *r.Owner, Dir: d.Path}
}

// stillThere fails when a forced unlock removed the file between our opening
// it and our locking it.
func stillThere(file *os.File, path string) error {
	ours, err := file.Stat()
	if err != nil {
		return err
	}
	now, err := os.Stat(path)
	if err == nil && !os.SameFile(ours, now) {
		err = errors.New("somebody unlocked it by force just now; try again")
	}
	return err
}

// Unlock gives the lock back. It is an error when it was taken away meanwhile.
func (l *Lock) Unlock() error {
	err := l.release()
	return errors.Join(err, l.file.Close())
}

func (l *Lock) release() error {
	if err := l.Check(); err != nil {
		return err
	}
	r, err := l.dir.readLock()
	if err != nil {
		return err
	}
	r.Owner = nil
	return l.dir.writeLock(r)
}

// Check fails when the lock was taken away.
func (l *Lock) Check() error {
	r, err := l.dir.readLock()
	if err != nil {
		return err
	}
	if r.Fence != l.fence {
		return l.dir.lost(r)
	}
	return nil
}

func (d *Dir) lost(r record) error {
	owner := Owner{}
	switch {
	case r.Owner != nil:
		owner = *r.Owner
	case len(r.Forced) > 0:
		owner = r.Forced[len(r.Forced)-1].By
	}
	return fmt.Errorf("the lock was taken away: %w", &LockedError{Owner: owner, Dir: d.Path})
}

// Holder says who holds the lock now, nil when nobody does.
func (d *Dir) Holder() (*Owner, error) {
	r, err := d.readLock()
	return r.Owner, err
}

// ForceUnlock takes the lock from whoever holds it, and records that. The old
// holder is refused by every node from the next lock on. It returns the old
// holder, nil when there was none.
func (d *Dir) ForceUnlock(command string, now time.Time) (*Owner, error) {
	me, err := self(command, now)
	if err != nil {
		return nil, fmt.Errorf("cannot unlock: %w", err)
	}
	r, err := d.readLock()
	if err != nil || r.Owner == nil {
		return nil, err
	}
	old := *r.Owner
	r.Forced = append(r.Forced, Forced{By: me, From: old})
	r.Owner = nil
	r.Fence++
	if err := d.writeLock(r); err != nil {
		return nil, err
	}
	// A holder that is alive keeps its flock on the old file; the next one
	// locks a new file.
	if err := os.Remove(filepath.Join(d.Path, "lock")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot unlock: %w", err)
	}
	return &old, nil
}

// ForcedUnlocks are the locks that were taken away, oldest first.
func (d *Dir) ForcedUnlocks() ([]Forced, error) {
	r, err := d.readLock()
	return r.Forced, err
}

func (d *Dir) lockRecord() string { return filepath.Join(d.Path, "lock.json") }

func (d *Dir) readLock() (record, error) {
	var r record
	err := readJSON(d.lockRecord(), &r)
	if errors.Is(err, fs.ErrNotExist) {
		return record{Format: lockFormat}, nil
	}
	if err != nil {
		return r, err
	}
	return r, checkFormat(d.lockRecord(), r.Format, lockFormat)
}

func (d *Dir) writeLock(r record) error {
	if err := writeJSON(d.lockRecord(), r); err != nil {
		return fmt.Errorf("cannot write the lock: %w", err)
	}
	return nil
}

// self is this process as an owner.
func self(command string, now time.Time) (Owner, error) {
	host, err := os.Hostname()
	if err != nil {
		return Owner{}, err
	}
	o := Owner{User: userName(), Host: host, PID: os.Getpid(), Since: now.UTC(), Command: command}
	if o.Boot, err = bootID(); err != nil {
		return Owner{}, err
	}
	o.Machine = machineID()
	o.Started, _, err = processStart(o.PID)
	return o, err
}

// userName is the name of the account, or its number where it has no name,
// which happens in containers.
func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return fmt.Sprintf("uid %d", os.Getuid())
}
