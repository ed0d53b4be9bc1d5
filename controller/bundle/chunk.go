package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/restic/chunker"
)

// Chunks have between 64 KiB and 1 MiB. Where they end depends on these numbers:
// with others nothing would be shared with older bundles.
const (
	minChunk    = 64 << 10
	maxChunk    = 1 << 20
	averageBits = 18 // 256 KiB on the average
	polynomial  = chunker.Pol(0x3dea92648f6e83)
)

// eachChunk cuts a stream into chunks. data is valid until f returns.
func eachChunk(r io.Reader, f func(c Chunk, data []byte) error) error {
	cut := chunker.NewWithBoundaries(r, polynomial, minChunk, maxChunk)
	cut.SetAverageBits(averageBits)
	buf := make([]byte, maxChunk)
	for {
		part, err := cut.Next(buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		sum := sha256.Sum256(part.Data)
		if err := f(Chunk{SHA256: hex.EncodeToString(sum[:]), Size: len(part.Data)}, part.Data); err != nil {
			return err
		}
	}
}

// packed is the form in which a chunk is stored: as it is, or compressed where
// that makes it shorter.
type packed struct {
	data       []byte
	compressed bool
}

// The encoder is used by one goroutine at a time and writes the same for the
// same; the decoder never gives more than a chunk may have.
var (
	encoder = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault))
		if err != nil {
			panic(fmt.Sprintf("the options are constant: %v", err)) // cannot happen
		}
		return e
	})
	decoder = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxChunk), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			panic(fmt.Sprintf("the options are constant: %v", err)) // cannot happen
		}
		return d
	})
)

func pack(data []byte) packed {
	z := encoder().EncodeAll(data, nil)
	if len(z) < len(data)*15/16 {
		return packed{z, true}
	}
	return packed{data, false}
}

// unpack gives a chunk, and nothing else than that chunk.
func (p packed) unpack(c Chunk) ([]byte, error) {
	data := p.data
	if p.compressed {
		var err error
		if data, err = decoder().DecodeAll(p.data, make([]byte, 0, c.Size)); err != nil {
			return nil, damagedChunk(c)
		}
	}
	sum := sha256.Sum256(data)
	if len(data) != c.Size || hex.EncodeToString(sum[:]) != c.SHA256 {
		return nil, damagedChunk(c)
	}
	return data, nil
}

// ErrDamaged means that what is stored is not what the manifest names. Another
// copy helps, waiting does not.
var ErrDamaged = errors.New("damaged")

func damagedChunk(c Chunk) error {
	return fmt.Errorf("chunk %s is %w", c.SHA256[:16], ErrDamaged)
}

// errNoChunk means that a place does not have a chunk.
var errNoChunk = errors.New("no such chunk")

// place is where chunks lie: a bundle file, or the store.
type place interface {
	// find returns a chunk as it is stored, not verified, or errNoChunk.
	find(c Chunk) (packed, error)
	// has reports whether find would find it.
	has(c Chunk) bool
}

// places are tried one after the other. A damaged chunk in one of them is as
// good as none, if another has it.
type places []place

func (ps places) find(c Chunk) (packed, error) {
	p, _, err := ps.get(c)
	return p, err
}

func (ps places) has(c Chunk) bool {
	return slices.ContainsFunc(ps, func(p place) bool { return p.has(c) })
}

// get finds, unpacks and verifies.
func (ps places) get(c Chunk) (packed, []byte, error) {
	first := errNoChunk
	for _, p := range ps {
		stored, err := p.find(c)
		if err == nil {
			var data []byte
			if data, err = stored.unpack(c); err == nil {
				return stored, data, nil
			}
		}
		if errors.Is(first, errNoChunk) {
			first = err
		}
	}
	return packed{}, nil, first
}

// chunkReader reads a file chunk by chunk, each verified.
func chunkReader(from places, f File) io.Reader {
	return &sequence{from: from, left: f.Chunks}
}

type sequence struct {
	from places
	left []Chunk
	cur  bytes.Reader
}

func (s *sequence) Read(p []byte) (int, error) {
	for s.cur.Len() == 0 {
		if len(s.left) == 0 {
			return 0, io.EOF
		}
		_, data, err := s.from.get(s.left[0])
		if err != nil {
			return 0, err
		}
		s.cur.Reset(data)
		s.left = s.left[1:]
	}
	return s.cur.Read(p)
}
