package bundle

import (
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"
)

// content is a file of a bundle, open for reading anywhere in it. A chunk is
// unpacked and verified when it is read; the last few are kept.
type content struct {
	of      *Bundle
	file    File
	offsets []int64 // where each chunk begins

	mu   sync.Mutex
	kept []keptChunk // newest last
}

type keptChunk struct {
	index int
	data  []byte
}

// keptChunks is for readers that go on where they were, a few at a time.
const keptChunks = 8

func newContent(b *Bundle, f File) *content {
	c := &content{of: b, file: f, offsets: make([]int64, len(f.Chunks))}
	var at int64
	for i, ch := range f.Chunks {
		c.offsets[i] = at
		at += int64(ch.Size)
	}
	return c
}

// ReadAt implements io.ReaderAt. Any number of goroutines may call it.
func (c *content) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("cannot read before the beginning")
	}
	n := 0
	for n < len(p) {
		if off+int64(n) >= c.file.Size {
			return n, io.EOF
		}
		at := off + int64(n)
		i := sort.Search(len(c.offsets), func(i int) bool { return c.offsets[i] > at }) - 1
		data, err := c.chunk(i)
		if err != nil {
			return n, fmt.Errorf("cannot read %s: %w", c.file.Path, c.of.explain(err))
		}
		n += copy(p[n:], data[at-c.offsets[i]:])
	}
	return n, nil
}

func (c *content) chunk(i int) ([]byte, error) {
	c.mu.Lock()
	for _, k := range c.kept {
		if k.index == i {
			c.mu.Unlock()
			return k.data, nil
		}
	}
	c.mu.Unlock()
	_, data, err := c.of.places.get(c.file.Chunks[i])
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.kept) >= keptChunks {
		c.kept = append(c.kept[:0], c.kept[1:]...)
	}
	c.kept = append(c.kept, keptChunk{i, data})
	return data, nil
}

// Close implements io.Closer. The bundle stays open.
func (c *content) Close() error { return nil }
