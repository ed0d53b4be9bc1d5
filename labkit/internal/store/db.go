package store

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
)

// DB is one open database. Its methods may be called from any goroutine.
type DB struct {
	Dir string // with a slash at the end

	mu     sync.RWMutex
	file   *os.File
	size   int64
	seq    uint64
	values map[string]string
	keys   []string // sorted
	past   History
}

// Create makes an empty database in dir, which must exist. A database that
// is already there is left alone.
func Create(dir string, format int) error {
	f, err := os.OpenFile(datPath(dir), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o660)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot create database: %w", err)
	}
	_, err = f.Write(header("DB", format))
	if err == nil {
		err = f.Chmod(0o660) // whatever the umask said: the group works here too
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("cannot create database: %w", err)
	}
	return nil
}

// Exists says whether dir holds a database.
func Exists(dir string) bool {
	_, err := os.Stat(datPath(dir))
	return err == nil
}

// Open reads the database in dir, converting it to format when it is older.
func Open(dir string, format int) (*DB, error) {
	f, err := os.OpenFile(datPath(dir), os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open database: %w", err)
	}
	db := &DB{Dir: withSlash(dir), file: f, values: map[string]string{}}
	if err := db.load(format); err != nil {
		f.Close()
		return nil, err
	}
	return db, nil
}

func (db *DB) load(format int) error {
	have, err := readHeader(db.file, "DB")
	if err != nil {
		return err
	}
	if have > format {
		return &FormatError{db.file.Name(), have, format}
	}
	if have < format {
		if _, err := db.file.WriteAt(header("DB", format), 0); err != nil {
			return fmt.Errorf("cannot convert database: %w", err)
		}
	}
	if err := db.replay(math.MaxUint64); err != nil {
		return err
	}
	return db.file.Truncate(db.size)
}

// replay builds memory from the file and stops at the first torn record, or
// after record last.
func (db *DB) replay(last uint64) error {
	db.size, db.seq, db.past, db.values = headerSize, 0, History{}, map[string]string{}
	r := bufio.NewReaderSize(io.NewSectionReader(db.file, headerSize, 1<<62), 1<<20)
	for {
		rec, n, err := readRecord(r)
		if err != nil || rec.Seq != db.seq+1 || rec.Seq > last {
			break
		}
		db.apply(rec)
		db.size += n
	}
	db.keys = make([]string, 0, len(db.values))
	for k := range db.values {
		db.keys = append(db.keys, k)
	}
	sort.Strings(db.keys)
	return nil
}

// apply changes memory only; the caller keeps keys in order.
func (db *DB) apply(rec Record) {
	db.seq = rec.Seq
	db.past.add(rec)
	if rec.Op == opSet {
		db.values[rec.Key] = rec.Value
		return
	}
	for k := range db.values {
		if covers(rec.Key, k) {
			delete(db.values, k)
		}
	}
}

// covers says whether killing key kills k too: itself and what is below it.
func covers(key, k string) bool { return strings.HasPrefix(k, key) }

// add writes one record to the file and to memory. Records at or below the
// last one are ignored, so that a journal may be applied twice.
func (db *DB) add(rec Record) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if rec.Seq <= db.seq {
		return nil
	}
	if rec.Seq != db.seq+1 {
		return fmt.Errorf("cannot apply record %d to %s: the last one there is %d", rec.Seq, db.Dir, db.seq)
	}
	rec.DB = ""
	data := rec.encode()
	if _, err := db.file.WriteAt(data, db.size); err != nil {
		return fmt.Errorf("cannot write database: %w", err)
	}
	db.size += int64(len(data))
	db.index(rec)
	db.apply(rec)
	return nil
}

// index keeps the sorted keys in step with a record about to be applied.
func (db *DB) index(rec Record) {
	at := sort.SearchStrings(db.keys, rec.Key)
	if rec.Op == opSet {
		if at == len(db.keys) || db.keys[at] != rec.Key {
			db.keys = append(db.keys, "")
			copy(db.keys[at+1:], db.keys[at:])
			db.keys[at] = rec.Key
		}
		return
	}
	end := at
	for end < len(db.keys) && covers(rec.Key, db.keys[end]) {
		end++
	}
	db.keys = append(db.keys[:at], db.keys[end:]...)
}

// Seq is the number of the last record.
func (db *DB) Seq() uint64 {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.seq
}

// Get returns the value under an encoded key.
func (db *DB) Get(key string) (string, bool) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	v, found := db.values[key]
	return v, found
}

// Keys returns the keys that begin with prefix and come after the key after.
func (db *DB) Keys(prefix, after string, limit int) []string {
	db.mu.RLock()
	defer db.mu.RUnlock()
	var out []string
	for i := sort.SearchStrings(db.keys, max(prefix, after)); i < len(db.keys) && len(out) < limit; i++ {
		if !strings.HasPrefix(db.keys[i], prefix) {
			break
		}
		if db.keys[i] > after || after == "" {
			out = append(out, db.keys[i])
		}
	}
	return out
}

// Before returns the last key that begins with prefix and sorts before limit.
func (db *DB) Before(prefix, limit string) (string, bool) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	at := sort.SearchStrings(db.keys, limit) - 1
	if at < 0 || !strings.HasPrefix(db.keys[at], prefix) {
		return "", false
	}
	return db.keys[at], true
}

// Since returns up to limit records after seq, for a mirror member that lacks them.
func (db *DB) Since(seq uint64, limit int) ([]Record, error) {
	var out []Record
	err := scanDB(datPath(db.Dir), func(rec Record) bool {
		if rec.Seq > seq {
			out = append(out, rec)
		}
		return len(out) < limit
	})
	return out, err
}

// Sync makes everything written so far survive a power cut.
func (db *DB) Sync() error { return db.file.Sync() }

// Close syncs and closes the file.
func (db *DB) Close() error {
	return errors.Join(db.file.Sync(), db.file.Close())
}

// SizeMB is the size of the file in MiB, at least 1.
func (db *DB) SizeMB() int64 {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.size>>20 + 1
}

func withSlash(dir string) string { return filepath.Clean(dir) + "/" }
