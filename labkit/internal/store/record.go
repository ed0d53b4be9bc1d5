package store

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
)

// Kinds of record.
const (
	opSet  = 's'
	opKill = 'k'
	// Only in journals: the database went back to Seq, and the records of a
	// mirrored database up to Seq were acknowledged.
	opRollback = 'r'
	opAcked    = 'a'
)

// maxRecord bounds what a damaged length can make us allocate.
const maxRecord = 64 << 20

// Record is one change of one database.
type Record struct {
	Seq   uint64 // 1, 2, 3 … in each database
	Op    byte
	Key   string
	Value string
	DB    string // directory; only in journals
	// Epoch is the reign of the primary that made the record; 0 outside mirrors.
	Epoch Epoch
}

// Epoch is one reign of one primary: a number that rises with each, and below
// it a random part, so that two primaries of one number can be told apart.
type Epoch uint64

const epochBits = 20

// Next begins a reign after e.
func (e Epoch) Next() Epoch {
	return Epoch((e.Number()+1)<<epochBits | uint64(rand.Uint32())&(1<<epochBits-1))
}

// Number is how many reigns there were, this one included.
func (e Epoch) Number() uint64 { return uint64(e) >> epochBits }

var errTorn = errors.New("record is torn or damaged")

// encode is length, checksum, body.
func (r Record) encode() []byte {
	body := binary.AppendUvarint(nil, r.Seq)
	body = append(body, r.Op)
	for _, s := range []string{r.DB, r.Key, r.Value} {
		body = binary.AppendUvarint(body, uint64(len(s)))
		body = append(body, s...)
	}
	if r.Epoch != 0 {
		body = binary.AppendUvarint(body, uint64(r.Epoch))
	}
	out := make([]byte, 8, 8+len(body))
	binary.BigEndian.PutUint32(out, uint32(len(body)))
	binary.BigEndian.PutUint32(out[4:], crc32.ChecksumIEEE(body))
	return append(out, body...)
}

// readRecord returns io.EOF at a clean end and errTorn at any other.
func readRecord(r io.Reader) (Record, int64, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		if err == io.EOF {
			return Record{}, 0, io.EOF
		}
		return Record{}, 0, errTorn
	}
	size := binary.BigEndian.Uint32(head[:])
	if size == 0 || size > maxRecord {
		return Record{}, 0, errTorn
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return Record{}, 0, errTorn
	}
	if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(head[4:]) {
		return Record{}, 0, errTorn
	}
	rec, ok := decodeBody(body)
	if !ok {
		return Record{}, 0, errTorn
	}
	return rec, int64(size) + 8, nil
}

func decodeBody(body []byte) (Record, bool) {
	var rec Record
	seq, n := binary.Uvarint(body)
	if n <= 0 || len(body) <= n {
		return rec, false
	}
	rec.Seq, rec.Op = seq, body[n]
	body = body[n+1:]
	for _, field := range []*string{&rec.DB, &rec.Key, &rec.Value} {
		size, n := binary.Uvarint(body)
		if n <= 0 || size > uint64(len(body)-n) {
			return rec, false
		}
		*field = string(body[n : n+int(size)])
		body = body[n+int(size):]
	}
	if len(body) > 0 {
		epoch, n := binary.Uvarint(body)
		if n <= 0 {
			return rec, false
		}
		rec.Epoch, body = Epoch(epoch), body[n:]
	}
	return rec, len(body) == 0
}
