package provider

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/vmihailenco/msgpack/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// server answers calls with a Provider, and knows which are open.
type server struct {
	provider Provider
	// stop ends with the process: it cancels every open call.
	stop  context.Context
	calls calls
}

// method runs one method of the contract.
type method func(ctx context.Context, p Provider, req Request, progress func(Progress)) (any, error)

// methods is the service: every call has the same shape, so that all of them
// can be cancelled and waited for.
func methods() map[string]method {
	return map[string]method{
		"Info": func(ctx context.Context, p Provider, _ Request, _ func(Progress)) (any, error) {
			return p.Info(ctx)
		},
		"Validate": func(ctx context.Context, p Provider, req Request, _ func(Progress)) (any, error) {
			return p.Validate(ctx, req)
		},
		"Plan": func(ctx context.Context, p Provider, req Request, _ func(Progress)) (any, error) {
			return p.Plan(ctx, req)
		},
		"Provision": func(ctx context.Context, p Provider, req Request, progress func(Progress)) (any, error) {
			return p.Provision(ctx, req, progress)
		},
		"Inventory": func(ctx context.Context, p Provider, req Request, _ func(Progress)) (any, error) {
			return p.Inventory(ctx, req)
		},
		"Unprovision": func(ctx context.Context, p Provider, req Request, progress func(Progress)) (any, error) {
			return struct{}{}, p.Unprovision(ctx, req, progress)
		},
	}
}

// service describes all calls to gRPC.
func service() *grpc.ServiceDesc {
	desc := &grpc.ServiceDesc{ServiceName: serviceName, HandlerType: (*any)(nil)}
	for name, run := range methods() {
		s := stream(name)
		s.Handler = func(srv any, st grpc.ServerStream) error {
			return srv.(*server).handle(st, run)
		}
		desc.Streams = append(desc.Streams, s)
	}
	return desc
}

// stream is the shape of a call; both sides need it.
func stream(name string) grpc.StreamDesc {
	return grpc.StreamDesc{StreamName: name, ServerStreams: true, ClientStreams: true}
}

// handle runs one call from its request to its answer.
func (s *server) handle(st grpc.ServerStream, run method) error {
	s.calls.begin()
	defer s.calls.end()

	var first ask
	if err := st.RecvMsg(&first); err != nil {
		return err
	}
	if first.Request == nil {
		return status.Error(codes.InvalidArgument, "a call begins with a request")
	}
	ctx, cancel := callContext(st.Context(), s.stop, first.Left)
	defer cancel()
	go cancelWhenAsked(st, cancel)

	out := &sender{st: st}
	v, err := run(ctx, s.provider, *first.Request, out.progress)
	return out.finish(v, err)
}

// callContext ends when the caller says so or is gone, at its deadline, and
// when the process must stop.
func callContext(ctx, stop context.Context, left time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	free := context.AfterFunc(stop, cancel)
	timeout := context.CancelFunc(func() {})
	if left != 0 {
		ctx, timeout = context.WithTimeout(ctx, left)
	}
	return ctx, func() {
		free()
		timeout()
		cancel()
	}
}

// cancelWhenAsked returns when the call has ended, at the latest.
func cancelWhenAsked(st grpc.ServerStream, cancel func()) {
	for {
		var next ask
		if err := st.RecvMsg(&next); err != nil {
			return // the caller hung up: the stream's own context says what that means
		}
		if next.Cancel {
			cancel()
		}
	}
}

// sender lets any goroutine send progress until the call has ended; a gRPC
// stream allows one sender at a time and none afterwards.
type sender struct {
	mu   sync.Mutex
	st   grpc.ServerStream
	done bool
}

func (s *sender) progress(p Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return
	}
	_ = s.st.SendMsg(&answer{Progress: &p}) // a line that nobody hears is not a failure
}

func (s *sender) finish(v any, err error) error {
	last := &answer{Done: true}
	if err != nil {
		last.Error = toError(err)
	} else if last.Value, err = msgpack.Marshal(v); err != nil {
		return status.Errorf(codes.Internal, "cannot encode the answer: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = true
	return s.st.SendMsg(last)
}

// errNoAnswer is a stream that ended without its last message.
var errNoAnswer = errors.New("the provider ended the call without an answer")
