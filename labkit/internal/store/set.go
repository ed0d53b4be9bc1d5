package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Set is all databases of an instance with their journal.
type Set struct {
	Journal *Journal
	Format  int
	// Epoch, when not nil, tells the reign a new record of db belongs to, 0
	// when the database is not mirrored, or why it may not be changed.
	Epoch func(db *DB) (Epoch, error)
	// Shipped, when not nil, is called with each record of a mirrored database
	// after it is in the journal and before it is acknowledged. An error means
	// that it must not be acknowledged.
	Shipped func(db *DB, rec Record) error

	mu    sync.Mutex        // one writer at a time gives records their order
	acked map[string]uint64 // by directory: the last record of a mirrored database that was acknowledged here
	mapMu sync.RWMutex      // guards dbs; never held while a writer waits for a mirror
	dbs   map[string]*DB
}

// NewSet returns a set without databases.
func NewSet(j *Journal) *Set {
	return &Set{Journal: j, Format: j.Format, dbs: map[string]*DB{}, acked: map[string]uint64{}}
}

// Mount opens the database in dir, or returns it when it is open already.
func (s *Set) Mount(dir string) (*DB, error) {
	dir = withSlash(dir)
	s.mapMu.Lock()
	defer s.mapMu.Unlock()
	if db := s.dbs[dir]; db != nil {
		return db, nil
	}
	db, err := Open(dir, s.Format)
	if err != nil {
		return nil, err
	}
	s.dbs[dir] = db
	return db, nil
}

// Mounted returns the open database in dir, or nil.
func (s *Set) Mounted(dir string) *DB {
	s.mapMu.RLock()
	defer s.mapMu.RUnlock()
	return s.dbs[withSlash(dir)]
}

// Dismount closes the database in dir, if it is open.
func (s *Set) Dismount(dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mapMu.Lock()
	defer s.mapMu.Unlock()
	db := s.dbs[withSlash(dir)]
	if db == nil {
		return nil
	}
	delete(s.dbs, withSlash(dir))
	return db.Close()
}

// Recover applies what the journals have and the mounted databases lack. It
// returns how many records were missing.
func (s *Set) Recover() (int, error) {
	missing := 0
	_, err := s.Journal.Replay(func(rec Record) error {
		db := s.dbs[rec.DB]
		switch {
		case db == nil:
			return nil
		case rec.Op == opAcked:
			s.acked[rec.DB] = rec.Seq
			return nil
		case rec.Op == opRollback:
			s.acked[rec.DB] = min(s.acked[rec.DB], rec.Seq)
			return db.rollback(rec.Seq) // what follows in the journal is applied again
		case rec.Seq <= db.Seq():
			return nil
		}
		missing++
		return db.add(rec)
	})
	if err != nil {
		return missing, err
	}
	return missing, s.Sync()
}

// SetValue stores value under an encoded key. It returns the reign in which
// that was acknowledged, 0 when db is not mirrored.
func (s *Set) SetValue(db *DB, key, value string) (Epoch, error) {
	return s.change(db, Record{Op: opSet, Key: key, Value: value})
}

// Kill removes a key and everything below it.
func (s *Set) Kill(db *DB, key string) error {
	_, err := s.change(db, Record{Op: opKill, Key: key})
	return err
}

func (s *Set) change(db *DB, rec Record) (Epoch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Epoch != nil {
		var err error
		if rec.Epoch, err = s.Epoch(db); err != nil {
			return 0, err
		}
	}
	rec.Seq, rec.DB = db.Seq()+1, db.Dir
	if err := s.Journal.Append(rec); err != nil {
		return 0, err
	}
	if err := db.add(rec); err != nil {
		return 0, err
	}
	if rec.Epoch == 0 || s.Shipped == nil {
		return 0, nil
	}
	if err := s.Shipped(db, rec); err != nil {
		return 0, err
	}
	s.acked[db.Dir] = rec.Seq
	return rec.Epoch, s.Journal.note(Record{Seq: rec.Seq, Op: opAcked, DB: db.Dir, Epoch: rec.Epoch})
}

// Rollback takes back all records of db after seq, because the mirror went on
// without them. It returns how many of them had been acknowledged here: 0,
// unless two members were primary at the same time.
func (s *Set) Rollback(db *DB, seq uint64) (lost uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if db.Seq() <= seq {
		return 0, nil
	}
	if err := s.Journal.Append(Record{Seq: seq, Op: opRollback, DB: db.Dir}); err != nil {
		return 0, err
	}
	if acked := s.acked[db.Dir]; acked > seq {
		lost, s.acked[db.Dir] = acked-seq, seq
	}
	return lost, db.rollback(seq)
}

// Receive applies records that another member of the mirror made.
func (s *Set) Receive(db *DB, recs []Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := recs[:0]
	for _, rec := range recs {
		if rec.Seq > db.Seq() {
			rec.DB = db.Dir
			fresh = append(fresh, rec)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if err := s.Journal.Append(fresh...); err != nil {
		return err
	}
	for _, rec := range fresh {
		if err := db.add(rec); err != nil {
			return err
		}
	}
	return nil
}

// Close closes all databases and the journal.
func (s *Set) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mapMu.Lock()
	defer s.mapMu.Unlock()
	var errs []error
	for dir, db := range s.dbs {
		errs = append(errs, db.Close())
		delete(s.dbs, dir)
	}
	return errors.Join(append(errs, s.Journal.Close())...)
}

// WriteWIJ leaves the write image file in dir, saying whether the databases
// are whole without it.
func WriteWIJ(dir string, format int, clean bool) error {
	state := "active"
	if clean {
		state = "clean"
	}
	path := filepath.Join(dir, "IRIS.WIJ")
	data := append(header("WIJ", format), (state + "\n")...)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o660)
	if err != nil {
		return fmt.Errorf("cannot create WIJ file: %w", err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Sync makes all databases survive a power cut without the journal, while
// others mount and write.
func (s *Set) Sync() error {
	s.mapMu.RLock()
	var dbs []*DB
	for _, db := range s.dbs {
		dbs = append(dbs, db)
	}
	s.mapMu.RUnlock()
	var errs []error
	for _, db := range dbs {
		if err := db.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
