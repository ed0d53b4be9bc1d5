package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// maxDepth bounds how deep values may be nested. Ours are four deep.
const maxDepth = 32

var errCutOff = errors.New("it ends in the middle of a value")

// plausible walks over one msgpack value without decoding it, so that no
// length in it makes the decoder take memory for what is not there, and no
// nesting its stack.
func plausible(data []byte) error {
	rest, err := skip(data, 0)
	if err == nil && len(rest) > 0 {
		return fmt.Errorf("%d bytes are left over", len(rest))
	}
	return err
}

func skip(p []byte, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("its values are nested more than %d deep", maxDepth)
	}
	if len(p) == 0 {
		return nil, errCutOff
	}
	c, p := p[0], p[1:]
	switch {
	case c <= 0x7f || c >= 0xe0 || c == 0xc0 || c == 0xc2 || c == 0xc3:
		return p, nil
	case c <= 0x8f:
		return skipMany(p, 2*uint64(c&0x0f), depth)
	case c <= 0x9f:
		return skipMany(p, uint64(c&0x0f), depth)
	case c <= 0xbf:
		return skipBytes(p, uint64(c&0x1f))
	}
	return skipLong(c, p, depth)
}

// skipLong passes a value whose first byte says how its length is written.
func skipLong(c byte, p []byte, depth int) ([]byte, error) {
	switch c {
	case 0xc4, 0xd9: // bin 8, str 8
		return skipSized(p, 1, 0)
	case 0xc5, 0xda:
		return skipSized(p, 2, 0)
	case 0xc6, 0xdb:
		return skipSized(p, 4, 0)
	case 0xc7: // ext 8: one more byte says the type
		return skipSized(p, 1, 1)
	case 0xc8:
		return skipSized(p, 2, 1)
	case 0xc9:
		return skipSized(p, 4, 1)
	case 0xcc, 0xd0: // numbers
		return skipBytes(p, 1)
	case 0xcd, 0xd1, 0xd4: // 0xd4…0xd8 are fixed ext with a type byte
		return skipBytes(p, 2)
	case 0xd5:
		return skipBytes(p, 3)
	case 0xca, 0xce, 0xd2:
		return skipBytes(p, 4)
	case 0xd6:
		return skipBytes(p, 5)
	case 0xcb, 0xcf, 0xd3:
		return skipBytes(p, 8)
	case 0xd7:
		return skipBytes(p, 9)
	case 0xd8:
		return skipBytes(p, 17)
	case 0xdc, 0xdd, 0xde, 0xdf: // array 16, array 32, map 16, map 32
		return skipCounted(c, p, depth)
	}
	return nil, fmt.Errorf("0x%02x is not msgpack", c)
}

func skipCounted(c byte, p []byte, depth int) ([]byte, error) {
	width := 2
	if c == 0xdd || c == 0xdf {
		width = 4
	}
	n, p, err := length(p, width)
	if err != nil {
		return nil, err
	}
	if c >= 0xde {
		n *= 2
	}
	return skipMany(p, n, depth)
}

func skipMany(p []byte, n uint64, depth int) ([]byte, error) {
	if n > uint64(len(p)) { // each takes a byte at the least
		return nil, errCutOff
	}
	var err error
	for range n {
		if p, err = skip(p, depth+1); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func skipSized(p []byte, width int, extra uint64) ([]byte, error) {
	n, p, err := length(p, width)
	if err != nil {
		return nil, err
	}
	return skipBytes(p, n+extra)
}

func skipBytes(p []byte, n uint64) ([]byte, error) {
	if n > uint64(len(p)) {
		return nil, errCutOff
	}
	return p[n:], nil
}

func length(p []byte, width int) (uint64, []byte, error) {
	if len(p) < width {
		return 0, nil, errCutOff
	}
	switch width {
	case 1:
		return uint64(p[0]), p[1:], nil
	case 2:
		return uint64(binary.BigEndian.Uint16(p)), p[2:], nil
	}
	return uint64(binary.BigEndian.Uint32(p)), p[4:], nil
}
