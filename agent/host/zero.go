package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// How much of a device is read to call it blank. The numbers are in
// docs/safety.md.
const (
	readInFull  = 64 << 30
	readEdges   = 64 << 20
	samples     = 100_000
	sampleBytes = 4096
	chunk       = 4 << 20
)

// FirstNonZero looks for a byte that is not zero and returns where the first
// one it met is, or -1. A device up to 64 GiB is read in full; of a larger one
// the first and last 64 MiB, 50,000 samples spread evenly and 50,000 at random.
// Progress is told in bytes. The size must be given: a block device has none
// that stat knows.
func FirstNonZero(ctx context.Context, path string, size int64, progress func(done, total int64)) (int64, error) {
	f, err := openPastCache(path)
	if err != nil {
		return -1, fmt.Errorf("cannot read %s: %v", path, err)
	}
	defer f.Close()
	return firstNonZero(ctx, f, size, readInFull, samples, progress)
}

// openPastCache opens a device so that reads go past the page cache, which
// belongs to the node's real work. What cannot do that is opened as usual.
func openPastCache(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECT, 0)
	if err == nil {
		return f, nil
	}
	return os.Open(path)
}

func firstNonZero(ctx context.Context, f *os.File, size, full int64, samples int, progress func(done, total int64)) (int64, error) {
	s := scan{ctx: ctx, f: f, progress: progress}
	if size <= full {
		s.total = size
		return s.span(0, size)
	}
	edge := min(int64(readEdges), size/2)
	s.total = 2*edge + int64(samples)*sampleBytes
	for _, start := range []int64{0, (size - edge) &^ (sampleBytes - 1)} {
		if at, err := s.span(start, min(start+edge+sampleBytes, size)); at >= 0 || err != nil {
			return at, err
		}
	}
	for _, at := range sampleOffsets(size, samples) {
		if found, err := s.span(at, min(at+sampleBytes, size)); found >= 0 || err != nil {
			return found, err
		}
	}
	return -1, nil
}

// sampleOffsets spreads half of n samples evenly over the device and half at
// random, because data laid out in a regular grid could slip through an even
// spread. They come in ascending order: a spinning disk then reads them in one
// sweep.
func sampleOffsets(size int64, n int) []int64 {
	blocks := size / sampleBytes
	at := make([]int64, 0, n)
	even := n / 2
	for i := range even {
		at = append(at, int64(float64(blocks-1)*float64(i)/float64(even))*sampleBytes)
	}
	for len(at) < n {
		at = append(at, rand.Int64N(blocks)*sampleBytes)
	}
	slices.Sort(at)
	return at
}

type scan struct {
	ctx         context.Context
	f           *os.File
	buf, zero   []byte
	done, total int64
	progress    func(done, total int64)
}

// span reads from start up to end and returns the first byte that is not zero.
func (s *scan) span(start, end int64) (int64, error) {
	if s.buf == nil {
		s.buf, s.zero = alignedBuffer(), make([]byte, chunk)
	}
	for at := start; at < end; {
		if err := s.ctx.Err(); err != nil {
			return -1, err
		}
		want := min(int64(len(s.buf)), end-at)
		n, err := s.f.ReadAt(s.buf[:want], at)
		if !bytes.Equal(s.buf[:n], s.zero[:n]) {
			return at + int64(firstSet(s.buf[:n])), nil
		}
		if err != nil && !(errors.Is(err, io.EOF) && int64(n) == want) {
			return -1, fmt.Errorf("cannot read %s at byte %d: %w", s.f.Name(), at+int64(n), err)
		}
		at += int64(n)
		s.tell(int64(n))
	}
	return -1, nil
}

// alignedBuffer is where reads past the page cache may go: on a page boundary.
func alignedBuffer() []byte {
	b := make([]byte, chunk+sampleBytes)
	skip := (sampleBytes - int(uintptr(unsafe.Pointer(&b[0]))%sampleBytes)) % sampleBytes
	return b[skip : skip+chunk]
}

func (s *scan) tell(n int64) {
	before := s.done / (256 << 20)
	s.done += n
	if s.progress != nil && (s.done/(256<<20) != before || s.done >= s.total) {
		s.progress(s.done, s.total)
	}
}

func firstSet(b []byte) int {
	return slices.IndexFunc(b, func(c byte) bool { return c != 0 })
}
