package store

import (
	"bufio"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// Mark says at which record an epoch begins.
type Mark struct {
	Epoch Epoch
	Seq   uint64
}

// History is what two copies of a database compare: how far each goes, which
// epochs its records come from, and a sum over all of them.
type History struct {
	Seq   uint64
	Sum   uint64
	Marks []Mark
}

func (h *History) add(rec Record) {
	if len(h.Marks) == 0 || h.Marks[len(h.Marks)-1].Epoch != rec.Epoch {
		h.Marks = append(h.Marks, Mark{rec.Epoch, rec.Seq})
	}
	h.Seq, h.Sum = rec.Seq, chain(h.Sum, rec)
}

// chain continues the sum of a database with one more record.
func chain(sum uint64, rec Record) uint64 {
	f := fnv.New64a()
	fmt.Fprintf(f, "%d %d %c %d %q %q", sum, rec.Seq, rec.Op, rec.Epoch, rec.Key, rec.Value)
	return f.Sum64()
}

// Common is the last record that both histories have, by their epochs.
func (h History) Common(other History) uint64 {
	var common uint64
	for n := range min(len(h.Marks), len(other.Marks)) {
		if h.Marks[n] != other.Marks[n] {
			break
		}
		common = min(h.end(n), other.end(n))
		if h.end(n) != other.end(n) {
			break
		}
	}
	return common
}

// end is the last record of the n-th epoch.
func (h History) end(n int) uint64 {
	if n+1 < len(h.Marks) {
		return h.Marks[n+1].Seq - 1
	}
	return h.Seq
}

// History is the state of the database in a form another member can compare.
func (db *DB) History() History {
	db.mu.RLock()
	defer db.mu.RUnlock()
	h := db.past
	h.Marks = append([]Mark(nil), h.Marks...)
	return h
}

// SumAt is the sum over the records up to seq, which the database must have.
func (db *DB) SumAt(seq uint64) (uint64, error) {
	if h := db.History(); h.Seq == seq {
		return h.Sum, nil
	}
	if seq == 0 {
		return 0, nil
	}
	var sum uint64
	found := false
	err := scanDB(datPath(db.Dir), func(rec Record) bool {
		sum = chain(sum, rec)
		found = rec.Seq == seq
		return !found
	})
	if err == nil && !found {
		err = fmt.Errorf("cannot find record %d of %s", seq, db.Dir)
	}
	return sum, err
}

// scanDB gives records to each until it returns false or they end.
func scanDB(path string, each func(Record) bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(io.NewSectionReader(f, headerSize, 1<<62), 1<<20)
	for {
		rec, _, err := readRecord(r)
		if errors.Is(err, io.EOF) || errors.Is(err, errTorn) {
			return nil // the end, or a record still being written
		}
		if err != nil {
			return err
		}
		if !each(rec) {
			return nil
		}
	}
}

// rollback forgets all records after seq, in memory and in the file.
func (db *DB) rollback(seq uint64) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.seq <= seq {
		return nil
	}
	if err := db.replay(seq); err != nil {
		return err
	}
	if err := db.file.Truncate(db.size); err != nil {
		return fmt.Errorf("cannot roll back database: %w", err)
	}
	return nil
}
