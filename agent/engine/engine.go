package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"icm/internal/wire"
)

// Engine runs the changes of one node. Its methods may be called from any
// goroutine. Errors that a caller may branch on are *wire.Error.
type Engine struct {
	dir   string
	kinds map[string]Kind
	log   *slog.Logger
	opt   Options
	lock  *os.File // held, so that no second agent uses the directory

	mu      sync.Mutex
	journal *journal
	state   state
	fence   wire.Fence
	changed chan struct{}           // closed and replaced with every record
	stop    context.CancelCauseFunc // of the running engine
	halt    context.CancelCauseFunc // of the running task
	tell    map[chan wire.Progress]struct{}
}

// Options are what tests change.
type Options struct {
	// Fault is called before and after every record; an error makes the
	// journal behave as if the agent had died there.
	Fault func(FaultPoint) error
	// CompactSize is how long the journal may become, in bytes, before old
	// changes are dropped from it, and Keep how many ended changes stay.
	CompactSize int64
	Keep        int
	// Planned makes the engine refuse changes that were not announced.
	Planned bool
}

// What Options are when left zero. A change with its log has some 20 kB.
const (
	compactSize = 4 << 20
	keepChanges = 20
)

// errStopped is why a running task is cancelled when the agent stops: the task
// is run again at the next start.
var errStopped = errors.New("the agent is stopping")

// Open reads the journal in dir, which is made if needed. Nothing is run
// before Run.
func Open(dir string, kinds map[string]Kind, log *slog.Logger) (*Engine, error) {
	return OpenWith(dir, kinds, log, Options{})
}

// OpenWith is Open with options.
func OpenWith(dir string, kinds map[string]Kind, log *slog.Logger, opt Options) (_ *Engine, err error) {
	if opt.CompactSize == 0 {
		opt.CompactSize = compactSize
	}
	if opt.Keep == 0 {
		opt.Keep = keepChanges
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the agent's directory: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	e := &Engine{dir: dir, kinds: kinds, log: log, opt: opt, lock: lock,
		changed: make(chan struct{}), tell: map[chan wire.Progress]struct{}{}}
	if err := e.load(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock %s: %w", dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot lock %s: another agent is using it: %w", dir, err), f.Close())
	}
	return f, nil
}

func (e *Engine) load() error {
	var err error
	if e.fence, err = readFence(e.fencePath()); err != nil {
		return err
	}
	e.journal, err = openJournal(JournalPath(e.dir), func(rec record, offset int64) error {
		if err := e.state.check(rec); err != nil {
			return err
		}
		e.state.apply(rec, offset)
		return nil
	})
	if err != nil {
		return err
	}
	if err := e.compactLocked(); err != nil {
		return err
	}
	e.journal.fault = e.opt.Fault
	return e.sweepSecrets()
}

// JournalPath is where the task journal of an agent's directory is.
func JournalPath(dir string) string { return filepath.Join(dir, "journal") }

// Close gives the directory free. Run must have returned.
func (e *Engine) Close() error {
	var err error
	if e.journal != nil {
		err = e.journal.close()
	}
	return errors.Join(err, e.lock.Close())
}

// Check reports why the engine cannot work, or nil. It takes the engine's
// lock, so that an answer also means that nothing hangs in it.
func (e *Engine) Check() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.journal.err
}

// recordLocked writes a record, moves the state on, and wakes who waits for
// events. After an error the engine stops: nothing may happen that is not in
// the journal.
func (e *Engine) recordLocked(rec record) error {
	if err := e.state.check(rec); err != nil {
		return err
	}
	offset := e.journal.size
	before := e.journal.seq
	err := e.journal.append(&rec)
	if e.journal.seq > before {
		e.state.apply(rec, offset)
	}
	if e.journal.err != nil && e.stop != nil {
		e.stop(e.journal.err)
	}
	close(e.changed)
	e.changed = make(chan struct{})
	return err
}

// compactLocked drops old changes when the journal has become long.
func (e *Engine) compactLocked() error {
	old := len(e.state.changes) - e.opt.Keep
	if e.journal.size < e.opt.CompactSize || old <= 0 || e.state.open() != nil {
		return nil
	}
	rest := e.state.changes[old:]
	before := e.journal.size
	if err := e.journal.compact(rest[0].first-1, rest[0].offset); err != nil {
		return err
	}
	for _, c := range rest {
		c.offset -= before - e.journal.size
	}
	e.state.changes = append([]*change(nil), rest...)
	return nil
}
