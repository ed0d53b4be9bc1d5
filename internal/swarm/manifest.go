package swarm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"sync"
)

// Bounds of what is distributed. A chunk is passed on when all of it is there,
// so every node of a chain costs the time of one; and each has a hash in the
// manifest. 256 KiB is 10 ms at 200 Mbit/s, and 1/8000 of it in hashes.
const (
	MaxSize    = 64 << 30  // bytes of a file
	usualChunk = 256 << 10 // bytes
	minChunk   = 1 << 10   // bytes
	maxChunk   = 4 << 20   // bytes
	maxChunks  = 1 << 15
)

// Sum is a sha256.
type Sum [sha256.Size]byte

// String is the sum in hex.
func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// ParseSum reads a sum in hex.
func ParseSum(text string) (Sum, error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != sha256.Size {
		return Sum{}, fmt.Errorf("%q is not a sha256", text)
	}
	return Sum(raw), nil
}

// Manifest names every chunk of a file by its sha256.
type Manifest struct {
	Size      int64 // bytes of the file
	ChunkSize int   // bytes of every chunk but the last
	SHA256    Sum   // of the whole file
	Chunks    []Sum
}

// manifestMagic begins an encoded manifest; the digit is its version.
const manifestMagic = "icm-chunks 1\n"

const manifestHead = len(manifestMagic) + 8 + 4 + sha256.Size

// maxManifest bounds an encoded manifest, in bytes.
const maxManifest = manifestHead + maxChunks*sha256.Size

func chunkSize(size int64) int {
	c := int64(usualChunk)
	for c < maxChunk && (size+c-1)/c > maxChunks {
		c *= 2
	}
	return int(c)
}

// Describe reads a file once and makes its manifest.
func Describe(ctx context.Context, r io.ReaderAt, size int64) (*Manifest, error) {
	return describe(ctx, r, size, chunkSize(size))
}

func describe(ctx context.Context, r io.ReaderAt, size int64, chunk int) (*Manifest, error) {
	if size <= 0 || size > MaxSize {
		return nil, fmt.Errorf("%d bytes cannot be distributed: it takes between 1 and %d", size, int64(MaxSize))
	}
	m := &Manifest{Size: size, ChunkSize: chunk, Chunks: make([]Sum, (size+int64(chunk)-1)/int64(chunk))}
	whole, buf := sha256.New(), make([]byte, chunk)
	for i := range m.Chunks {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		data := buf[:m.length(i)]
		if err := readFull(r, data, m.offset(i)); err != nil {
			return nil, err
		}
		var one sync.WaitGroup
		one.Go(func() { whole.Write(data) }) // on the other processor
		m.Chunks[i] = sha256.Sum256(data)
		one.Wait()
	}
	whole.Sum(m.SHA256[:0])
	return m, nil
}

// readFull is ReadAt for exactly len(p) bytes; io.EOF beside them is no error.
func readFull(r io.ReaderAt, p []byte, at int64) error {
	n, err := r.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (m *Manifest) offset(i int) int64 { return int64(i) * int64(m.ChunkSize) }

func (m *Manifest) length(i int) int { return int(min(int64(m.ChunkSize), m.Size-m.offset(i))) }

// Encode is the manifest as it travels.
func (m *Manifest) Encode() []byte {
	out := append(make([]byte, 0, manifestHead+len(m.Chunks)*sha256.Size), manifestMagic...)
	out = binary.BigEndian.AppendUint64(out, uint64(m.Size))
	out = binary.BigEndian.AppendUint32(out, uint32(m.ChunkSize))
	out = append(out, m.SHA256[:]...)
	for _, c := range m.Chunks {
		out = append(out, c[:]...)
	}
	return out
}

// Digest names the manifest, and by that the file and all its chunks.
func (m *Manifest) Digest() Sum { return sha256.Sum256(m.Encode()) }

// ParseManifest reads what Encode wrote.
func ParseManifest(data []byte) (*Manifest, error) {
	if len(data) < manifestHead || string(data[:len(manifestMagic)]) != manifestMagic {
		return nil, errors.New("these bytes are not a manifest")
	}
	rest := data[len(manifestMagic):]
	size, chunk := binary.BigEndian.Uint64(rest), binary.BigEndian.Uint32(rest[8:])
	if size == 0 || size > MaxSize || chunk < minChunk || chunk > maxChunk || bits.OnesCount32(chunk) != 1 {
		return nil, fmt.Errorf("a manifest of %d bytes in chunks of %d is out of bounds", size, chunk)
	}
	m := &Manifest{Size: int64(size), ChunkSize: int(chunk)}
	rest = rest[12:]
	rest = rest[copy(m.SHA256[:], rest):]
	count := (m.Size + int64(chunk) - 1) / int64(chunk)
	if count > maxChunks || int64(len(rest)) != count*sha256.Size {
		return nil, fmt.Errorf("a manifest of %d chunks has %d bytes of hashes", count, len(rest))
	}
	m.Chunks = make([]Sum, count)
	for i := range m.Chunks {
		copy(m.Chunks[i][:], rest[i*sha256.Size:])
	}
	return m, nil
}

// present finds the chunks that are whole in what an earlier try left.
func (m *Manifest) present(ctx context.Context, r io.ReaderAt) (set, error) {
	have, buf := newSet(len(m.Chunks)), make([]byte, m.ChunkSize)
	zero := make([]byte, m.ChunkSize)
	zeros := Sum(sha256.Sum256(zero))
	for i := range m.Chunks {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		data := buf[:m.length(i)]
		if err := readFull(r, data, m.offset(i)); err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				continue // the file ends before
			}
			return nil, err
		}
		want := m.Chunks[i]
		if bytes.Equal(data, zero[:len(data)]) && len(data) == m.ChunkSize && want != zeros {
			continue // never written; most of it, and cheaper to tell than by its hash
		}
		if sha256.Sum256(data) == want {
			have.add(i)
		}
	}
	return have, nil
}
