package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"

	"icm/internal/wire"
)

// journalFormat is the number in the first record of a journal. The first
// line stays readable for every later and earlier agent, so that it can be
// refused in words.
const journalFormat = 1

// maxRecord bounds one line of the journal, in bytes. JSON makes a change that
// filled a frame longer, never six times as long.
const maxRecord = 6*wire.MaxFrame + 4096

// record is one line of the journal: an event, and what only the engine needs.
// The first record has a format and the number of the last record that is no
// longer in the file; it is no event.
type record struct {
	wire.Event
	Format int          `json:"format,omitempty"`
	Submit *wire.Change `json:"submit,omitempty"`
	Note   *note        `json:"note,omitempty"`
}

// note is what a task wants to find again after a crash.
type note struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

// crcLen is the checksum in hex and the space after it.
const crcLen = 9

func checksum(body []byte) uint32 {
	return crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))
}

// encode makes the line of a record, with its end.
func encode(rec record) ([]byte, error) {
	body, err := json.Marshal(rec)
	if err != nil {
		return nil, err
	}
	line := fmt.Appendf(make([]byte, 0, len(body)+crcLen+1), "%08x ", checksum(body))
	line = append(append(line, body...), '\n')
	if len(line) > maxRecord {
		return nil, fmt.Errorf("the record has %d bytes, at most %d are possible", len(line), maxRecord)
	}
	return line, nil
}

// decode reads one line without its end.
func decode(line []byte) (record, error) {
	var rec record
	body, err := verified(line)
	if err != nil {
		return rec, err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&rec); err != nil {
		return rec, fmt.Errorf("it is not understood: %w", err)
	}
	return rec, nil
}

// decodeHead reads the first line. Fields of a later format are no obstacle
// to reading its number.
func decodeHead(line []byte) (record, error) {
	var rec record
	body, err := verified(line)
	if err != nil {
		return rec, err
	}
	if err := json.Unmarshal(body, &rec); err != nil {
		return rec, fmt.Errorf("it is not understood: %w", err)
	}
	if rec.Format == 0 {
		return rec, errors.New("it has no format number")
	}
	return rec, nil
}

func verified(line []byte) ([]byte, error) {
	if len(line) <= crcLen || line[crcLen-1] != ' ' {
		return nil, errors.New("it is not a record")
	}
	body := line[crcLen:]
	// As it is written, so that no bit of it can change unnoticed.
	if got, want := fmt.Sprintf("%08x", checksum(body)), string(line[:crcLen-1]); got != want {
		return nil, fmt.Errorf("its checksum is %s, not %q", got, want)
	}
	return body, nil
}
