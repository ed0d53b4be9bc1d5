package remote

import (
	"errors"
	"io"
	"sync"
)

// maxTail is enough for every message that is quoted in an error, in bytes.
const maxTail = 8 << 10

// tail keeps the last bytes of what a command said. It may be read while the
// command still runs.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - maxTail; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

// ReadFrom keeps io.Copy from making a buffer of its own: 32 KB for every
// connection, on which mostly nothing is said for hours.
func (t *tail) ReadFrom(r io.Reader) (n int64, err error) {
	buf := make([]byte, 512)
	for {
		k, err := r.Read(buf)
		_, _ = t.Write(buf[:k]) // never fails
		n += int64(k)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}
