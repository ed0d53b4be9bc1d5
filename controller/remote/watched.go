package remote

import (
	"net"
	"sync/atomic"
	"time"
)

// watchedConn knows when the peer was last heard of.
type watchedConn struct {
	net.Conn
	heard atomic.Int64 // UnixNano
}

func (w *watchedConn) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 {
		w.heard.Store(time.Now().UnixNano())
	}
	return n, err
}

// quiet is how long nothing was heard.
func (w *watchedConn) quiet() time.Duration {
	return time.Since(time.Unix(0, w.heard.Load()))
}
