package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/vmihailenco/msgpack/v5"
)

// headLen is the length that stands before every frame.
const headLen = 4

// readStep is how much of a frame is read before more memory is taken: a
// length alone, from a peer that then says nothing, costs no more.
const readStep = 64 << 10

// Encode makes the msgpack form of a boundary type. Map keys are sorted, so
// that the same value has the same bytes.
func Encode(v any) (msgpack.RawMessage, error) {
	var buf bytes.Buffer
	e := msgpack.NewEncoder(&buf)
	e.SetSortMapKeys(true)
	e.UseCompactInts(true)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("cannot encode %T: %w", v, err)
	}
	return buf.Bytes(), nil
}

// Decode reads the msgpack form of a boundary type. Unknown fields and bytes
// that are left over are errors.
func Decode(data []byte, v any) (err error) {
	if err := plausible(data); err != nil {
		return fmt.Errorf("cannot decode %T: %w", v, err)
	}
	r := bytes.NewReader(data)
	d := msgpack.NewDecoder(r)
	d.DisallowUnknownFields(true)
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("cannot decode %T: %w", v, err)
	}
	if r.Len() > 0 {
		return fmt.Errorf("cannot decode %T: %d bytes are left over", v, r.Len())
	}
	return nil
}

// AppendFrame adds a frame with its length to buf.
func AppendFrame(buf []byte, f Frame) ([]byte, error) {
	data, err := Encode(f)
	if err != nil {
		return buf, err
	}
	if len(data) > MaxFrame {
		return buf, fmt.Errorf("the frame has %d bytes, at most %d are possible", len(data), MaxFrame)
	}
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(data)))
	return append(buf, data...), nil
}

// WriteFrame writes a frame in one Write.
func WriteFrame(w io.Writer, f Frame) error {
	data, err := AppendFrame(nil, f)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// ReadFrame reads a frame. io.EOF means that the peer closed between two
// frames. It never takes more memory than what arrived, and some.
func ReadFrame(r io.Reader) (Frame, error) {
	var head [headLen]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Frame{}, err
	}
	n := int64(binary.BigEndian.Uint32(head[:]))
	if n == 0 || n > MaxFrame {
		return Frame{}, fmt.Errorf("a frame of %d bytes was announced, at most %d are possible", n, MaxFrame)
	}
	var body bytes.Buffer
	body.Grow(int(min(n, readStep)))
	if _, err := io.CopyN(&body, r, n); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return Frame{}, err
	}
	var f Frame
	if err := Decode(body.Bytes(), &f); err != nil {
		return Frame{}, err
	}
	if f.Kind < FrameHello || f.Kind > FrameCancel {
		return Frame{}, fmt.Errorf("there is no frame of kind %d", f.Kind)
	}
	return f, nil
}
