package wire

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// writeTimeout is how long a peer may take nothing before the connection is
// given up: a reader that hangs must not hold work for ever.
const writeTimeout = time.Minute

// sender writes frames of many goroutines to one stream. Each writes its own
// frame itself, so that an idle connection needs no goroutine for writing.
type sender struct {
	rw    io.ReadWriteCloser
	token chan struct{} // held while writing; a channel, so that waiting can be cancelled
	once  sync.Once
	done  chan struct{}
	err   error
}

func newSender(rw io.ReadWriteCloser) *sender {
	return &sender{rw: rw, token: make(chan struct{}, 1), done: make(chan struct{})}
}

// send writes one frame. A cancelled ctx ends the wait for one's turn, never a
// frame that has begun.
func (s *sender) send(ctx context.Context, f Frame) error {
	data, err := AppendFrame(nil, f)
	if err != nil {
		return err // nothing was written; the stream is whole
	}
	select {
	case s.token <- struct{}{}:
		defer func() { <-s.token }()
	case <-ctx.Done():
		return ctx.Err()
	case <-s.done:
		return s.err
	}
	// A timer works with every stream: closing one ends a write that hangs.
	timer := time.AfterFunc(writeTimeout, func() { s.close(errors.New("the other side takes nothing any more")) })
	defer timer.Stop()
	if _, err := s.rw.Write(data); err != nil {
		s.close(err)
		return s.err
	}
	return nil
}

// close gives the connection up, for the first reason given.
func (s *sender) close(why error) {
	s.once.Do(func() {
		s.err = why
		close(s.done)
		_ = s.rw.Close() // the reason is known already
	})
}

// complain tells the peer why the connection is going to be closed, when that
// has a code.
func (s *sender) complain(why error) {
	var e *Error
	if !errors.As(why, &e) {
		return
	}
	body, err := Encode(e)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), cancelWait)
	defer cancel()
	_ = s.send(ctx, Frame{Kind: FrameError, Body: body}) // closing follows anyway
}
