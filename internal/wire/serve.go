package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// maxCalls bounds the calls open at once on one connection.
const maxCalls = 64

// Handler answers one call. Its error reaches the caller as a *Error, with the
// code it has when it is one. ctx ends when the caller cancels or is gone.
type Handler func(ctx context.Context, call *Call) (reply any, err error)

// Call is a call as its handler sees it.
type Call struct {
	Method string
	id     uint64
	body   msgpack.RawMessage
	conn   *serverConn
}

// Decode reads the request into v. What does not fit is CodeBadCall.
func (c *Call) Decode(v any) error {
	if err := Decode(c.body, v); err != nil {
		return &Error{Code: CodeBadCall, Message: err.Error()}
	}
	return nil
}

// Item sends v ahead of the reply. It waits while the caller is slow, at most
// a minute, or until ctx ends.
func (c *Call) Item(ctx context.Context, v any) error {
	body, err := Encode(v)
	if err != nil {
		return err
	}
	return c.conn.out.send(ctx, Frame{Kind: FrameItem, ID: c.id, Body: body})
}

type serverConn struct {
	out      *sender
	handlers map[string]Handler
	work     sync.WaitGroup

	mu    sync.Mutex
	calls map[uint64]context.CancelFunc
}

// Serve is the agent's end of a connection: marker, hellos, then calls until
// the peer is gone or ctx ends. It owns rw, and returns when all handlers
// have. A peer that went away is no error.
func Serve(ctx context.Context, rw io.ReadWriteCloser, build string, handlers map[string]Handler) error {
	ctx, cancel := context.WithCancel(ctx)
	s := &serverConn{out: newSender(rw), handlers: handlers, calls: map[uint64]context.CancelFunc{}}
	stop := context.AfterFunc(ctx, func() { s.out.close(errClosed) })
	defer s.work.Wait()
	defer cancel()
	defer stop()
	defer s.out.close(errClosed)

	in := bufio.NewReaderSize(rw, 4<<10)
	if err := s.greet(ctx, in, build); err != nil {
		return err
	}
	for {
		f, err := ReadFrame(in)
		if err == nil {
			err = s.handle(ctx, f)
		}
		if err != nil {
			return s.reason(ctx, err)
		}
	}
}

func (s *serverConn) reason(ctx context.Context, err error) error {
	if errors.Is(err, io.EOF) || ctx.Err() != nil {
		return nil
	}
	s.out.close(err)
	return s.out.err
}

// greet bounds the time to the first frame: a peer that connects and says
// nothing costs a connection, not one for ever.
func (s *serverConn) greet(ctx context.Context, in *bufio.Reader, build string) error {
	timer := time.AfterFunc(helloTimeout, func() { s.out.close(errors.New("the other side said nothing")) })
	defer timer.Stop()
	if err := s.write([]byte(Marker)); err != nil {
		return err
	}
	hello, err := helloFrame(build)
	if err != nil {
		return err
	}
	if err := s.out.send(ctx, hello); err != nil {
		return err
	}
	_, err = readHello(in)
	if errors.Is(err, io.EOF) {
		return errors.New("the other side left without a hello")
	}
	if err != nil {
		s.out.complain(err)
	}
	return err
}

func (s *serverConn) write(p []byte) error {
	_, err := s.out.rw.Write(p)
	return err
}

func (s *serverConn) handle(ctx context.Context, f Frame) error {
	switch f.Kind {
	case FrameCall:
		return s.begin(ctx, f)
	case FrameCancel:
		s.mu.Lock()
		defer s.mu.Unlock()
		if cancel := s.calls[f.ID]; cancel != nil {
			cancel()
		}
		return nil
	}
	return fmt.Errorf("the controller sent a frame of kind %d", f.Kind)
}

func (s *serverConn) begin(ctx context.Context, f Frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls[f.ID] != nil {
		return fmt.Errorf("call %d was begun twice", f.ID)
	}
	if len(s.calls) == maxCalls {
		return fmt.Errorf("more than %d calls are open", maxCalls)
	}
	call, cancel := context.WithCancel(ctx)
	s.calls[f.ID] = cancel
	s.work.Go(func() {
		defer cancel()
		s.run(ctx, call, f)
	})
	return nil
}

// run answers a call. When the whole agent ends, a call that was cut off by that
// is not answered: the controller sees the line end, comes back, and asks again.
func (s *serverConn) run(all, ctx context.Context, f Frame) {
	reply, err := s.call(ctx, f)
	s.mu.Lock()
	delete(s.calls, f.ID)
	s.mu.Unlock()
	if all.Err() != nil && errors.Is(err, context.Canceled) {
		return
	}
	s.answer(context.WithoutCancel(ctx), f.ID, reply, err)
}

// call runs a handler. A panic in one is an error of that call, since others
// and a running change have done nothing wrong.
func (s *serverConn) call(ctx context.Context, f Frame) (reply any, err error) {
	h, ok := s.handlers[f.Method]
	if !ok {
		return nil, &Error{Code: CodeBadCall, Message: fmt.Sprintf("this agent knows no %q", f.Method)}
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the agent made a mistake in %q (please report it): %v", f.Method, p)
		}
	}()
	return h(ctx, &Call{Method: f.Method, id: f.ID, body: f.Body, conn: s})
}

// answer ends a call. An answer that cannot be sent as it is becomes an error
// in words; when not even that can be sent the connection is gone.
func (s *serverConn) answer(ctx context.Context, id uint64, reply any, err error) {
	if err == nil {
		var body msgpack.RawMessage
		if body, err = Encode(reply); err == nil {
			err = s.out.send(ctx, Frame{Kind: FrameReply, ID: id, Body: body})
		}
	}
	if err == nil {
		return
	}
	body, err := Encode(toError(err))
	if err == nil {
		_ = s.out.send(ctx, Frame{Kind: FrameError, ID: id, Body: body}) // nobody is left to tell
	}
}

func codeOf(err error) Code {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return CodeCancelled
	}
	return CodeInternal
}
