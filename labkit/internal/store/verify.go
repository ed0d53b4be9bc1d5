package store

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
)

// Report is what Verify found in one database.
type Report struct {
	Dir     string
	Format  int
	Records uint64 // whole records in the file
	Keys    int
	Torn    bool // bytes after the last whole record
	Digest  string
}

// Verify reads a database without changing it.
func Verify(dir string) (Report, error) {
	f, err := os.Open(datPath(dir))
	if err != nil {
		return Report{}, err
	}
	defer f.Close()
	format, err := readHeader(f, "DB")
	if err != nil {
		return Report{}, err
	}
	db := &DB{Dir: withSlash(dir), file: f}
	if err := db.replay(math.MaxUint64); err != nil {
		return Report{}, err
	}
	st, err := f.Stat()
	if err != nil {
		return Report{}, err
	}
	return Report{Dir: db.Dir, Format: format, Records: db.seq, Keys: len(db.keys),
		Torn: st.Size() != db.size, Digest: db.digest()}, nil
}

// digest is a sha256 over keys and values, whatever the format of the file.
func (db *DB) digest() string {
	h := sha256.New()
	for _, k := range db.keys {
		fmt.Fprintf(h, "%d:%s%d:%s", len(k), k, len(db.values[k]), db.values[k])
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// Lost counts the records that journals in journalDirs hold for the database
// in dir and that the database lacks: acknowledged, but not (yet) there.
func Lost(dir string, journalDirs ...string) (uint64, error) {
	rep, err := Verify(dir)
	if err != nil {
		return 0, err
	}
	missing := map[uint64]bool{}
	for _, jdir := range journalDirs {
		j := &Journal{Dir: jdir}
		for _, path := range j.Files() {
			_, err := scanFile(path, func(rec Record) error {
				switch {
				case rec.DB != rep.Dir:
				case rec.Op == opRollback:
					maps.DeleteFunc(missing, func(seq uint64, _ bool) bool { return seq > rec.Seq })
				case rec.Op != opAcked && rec.Seq > rep.Records:
					missing[rec.Seq] = true
				}
				return nil
			})
			if err != nil {
				return 0, err
			}
		}
	}
	return uint64(len(missing)), nil
}

// CheckJournal says how many whole records a journal file has, and whether
// something that is not a record follows them.
func CheckJournal(path string) (records int, torn bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	if _, err := readHeader(f, "JRN"); err != nil {
		return 0, false, err
	}
	r := bufio.NewReader(io.NewSectionReader(f, headerSize, 1<<62))
	for {
		_, _, err := readRecord(r)
		if errors.Is(err, io.EOF) {
			return records, false, nil
		}
		if err != nil {
			return records, true, nil
		}
		records++
	}
}

// Databases finds all database directories below root.
func Databases(root string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() && d.Name() == "IRIS.DAT" {
			out = append(out, filepath.Dir(path))
		}
		return nil
	})
	return out, err
}
