package swarm

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// inBuffer is what is read at a time, in bytes: about a record of TLS.
const inBuffer = 16 << 10

// maxGuests bounds the connections that a hub has at a time.
const maxGuests = 256

// greetLimit bounds the time until a guest has said who it is and what for.
const greetLimit = 30 * time.Second

// Hub is where others reach us: one port for all transfers, open only while
// there is one.
type Hub struct {
	// Log gets lines for the log of the program; may be nil.
	Log func(format string, args ...any)

	mu        sync.Mutex
	transfers map[Sum]*Transfer
	newest    *tls.Config
	listener  net.Listener
	port      int
	guests    chan struct{}
	work      sync.WaitGroup
}

// Open makes a transfer that others can reach at a port. One that is there
// already with the same digest is ended first.
func (h *Hub) Open(port int, opts Options) (*Transfer, error) {
	h.Close(opts.Digest)
	if err := h.listen(port); err != nil {
		return nil, err
	}
	t, err := Receive(opts)
	if err != nil {
		h.rest()
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.transfers == nil {
		h.transfers = map[Sum]*Transfer{}
	}
	h.transfers[opts.Digest], h.newest = t, t.tls
	return t, nil
}

// Close ends a transfer, if there is one, and closes the port when it was the
// last.
func (h *Hub) Close(digest Sum) {
	h.mu.Lock()
	t := h.transfers[digest]
	delete(h.transfers, digest)
	h.mu.Unlock()
	if t != nil {
		t.Close()
	}
	h.rest()
}

// CloseAll ends every transfer.
func (h *Hub) CloseAll() {
	h.mu.Lock()
	all := h.transfers
	h.transfers = nil
	h.mu.Unlock()
	for _, t := range all {
		t.Close()
	}
	h.rest()
	h.work.Wait()
}

// rest closes the port when nobody needs it.
func (h *Hub) rest() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.transfers) == 0 && h.listener != nil {
		_ = h.listener.Close() // nothing was written to it
		h.listener = nil
	}
}

func (h *Hub) listen(port int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listener != nil && (h.port == port || port == 0) {
		return nil
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", ":"+strconv.Itoa(port))
	if err != nil {
		return fmt.Errorf("cannot listen for other nodes at port %d: %w", port, err)
	}
	if h.listener != nil {
		_ = h.listener.Close()
	}
	h.listener, h.port = l, port
	if h.guests == nil {
		h.guests = make(chan struct{}, maxGuests)
	}
	h.work.Go(func() { h.accept(l) })
	return nil
}

// Addr is where the hub listens, nil when it does not.
func (h *Hub) Addr() net.Addr {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listener == nil {
		return nil
	}
	return h.listener.Addr()
}

func (h *Hub) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				h.log("cannot take connections of other nodes: %v", err)
			}
			return
		}
		select {
		case h.guests <- struct{}{}:
			h.work.Go(func() {
				defer func() { <-h.guests }()
				h.serve(conn)
			})
		default:
			_ = conn.Close() // too many: they come again
		}
	}
}

func (h *Hub) log(format string, args ...any) {
	if h.Log != nil {
		h.Log(format, args...)
	}
}

// serve greets whoever connects and hands the link to its transfer.
func (h *Hub) serve(raw net.Conn) {
	l, t, err := h.greet(raw)
	if err != nil {
		_ = raw.Close()
		h.log("%s connected and was sent away: %v", raw.RemoteAddr(), explain(err))
		return
	}
	_ = t.run(l) // told by the transfer where it matters
}

func (h *Hub) greet(raw net.Conn) (*link, *Transfer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), greetLimit)
	defer cancel()
	quicken(raw)
	h.mu.Lock()
	conf := h.newest
	h.mu.Unlock()
	if conf == nil {
		return nil, nil, errors.New("nothing is distributed at present")
	}
	conn := tls.Server(raw, conf)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, nil, err
	}
	name, err := peerName(conn)
	if err != nil {
		return nil, nil, err
	}
	in := bufio.NewReaderSize(conn, inBuffer)
	digest, err := readHello(conn, in, time.Now().Add(greetLimit))
	if err != nil {
		return nil, nil, err
	}
	h.mu.Lock()
	t := h.transfers[digest]
	h.mu.Unlock()
	answer := helloFrame(digest)
	if t == nil {
		answer = byeFrame("that file is not distributed here")
	}
	if _, err := conn.Write(answer); err != nil {
		return nil, nil, err
	}
	if t == nil {
		return nil, nil, fmt.Errorf("%s asks for another file", name)
	}
	l := &link{conn: conn, in: in, name: name}
	if name == ControllerName {
		l.source, l.rank = true, controllerRank
	}
	return l, t, nil
}

// readHello reads the first frame of a side.
func readHello(conn net.Conn, in *bufio.Reader, deadline time.Time) (Sum, error) {
	if err := conn.SetReadDeadline(deadline); err != nil {
		return Sum{}, err
	}
	k, n, err := readHead(in)
	if err != nil {
		return Sum{}, err
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(in, body); err != nil {
		return Sum{}, err
	}
	if k == kindBye {
		return Sum{}, fmt.Errorf("it says: %q", body)
	}
	if k != kindHello {
		return Sum{}, fmt.Errorf("it began with a frame of kind %d", k)
	}
	digest, err := parseHello(body)
	if err != nil {
		return Sum{}, err
	}
	return digest, conn.SetReadDeadline(time.Time{})
}
