package provider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vmihailenco/msgpack/v5"
	"google.golang.org/grpc"
)

// client is a Provider in another process.
type client struct{ cc grpc.ClientConnInterface }

var _ Provider = client{}

func (c client) Info(ctx context.Context) (Info, error) {
	return call[Info](ctx, c.cc, "Info", Request{}, nil)
}

func (c client) Validate(ctx context.Context, req Request) ([]Problem, error) {
	return call[[]Problem](ctx, c.cc, "Validate", req, nil)
}

func (c client) Plan(ctx context.Context, req Request) ([]Action, error) {
	return call[[]Action](ctx, c.cc, "Plan", req, nil)
}

func (c client) Provision(ctx context.Context, req Request, progress func(Progress)) (Result, error) {
	return call[Result](ctx, c.cc, "Provision", req, progress)
}

func (c client) Inventory(ctx context.Context, req Request) (Result, error) {
	return call[Result](ctx, c.cc, "Inventory", req, nil)
}

func (c client) Unprovision(ctx context.Context, req Request, progress func(Progress)) error {
	_, err := call[struct{}](ctx, c.cc, "Unprovision", req, progress)
	return err
}

// call makes one call and returns when the provider has answered, also when
// ctx ends before: then the provider is asked to stop, and waited for.
func call[T any](ctx context.Context, cc grpc.ClientConnInterface, name string, req Request, progress func(Progress)) (T, error) {
	var zero T
	if err := ctx.Err(); err != nil {
		return zero, err
	}
	if progress == nil {
		progress = func(Progress) {}
	}
	// The stream has a life of its own; ours must not cut it off.
	live, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	st, err := open(live, cc, name)
	if err != nil {
		return zero, fromTransport(err)
	}
	forget, err := send(ctx, st, req)
	defer forget()
	if err != nil {
		return zero, err
	}
	raw, err := receive(ctx, st, progress)
	if err != nil {
		return zero, err
	}
	if len(raw) == 0 { // msgpack's nil, such as an empty list of problems
		return zero, nil
	}
	var v T
	if err := msgpack.Unmarshal(raw, &v); err != nil {
		return zero, fmt.Errorf("cannot read the provider's answer: %w", err)
	}
	return v, nil
}

func open(ctx context.Context, cc grpc.ClientConnInterface, name string) (grpc.ClientStream, error) {
	desc := stream(name)
	return cc.NewStream(ctx, &desc, "/"+serviceName+"/"+name,
		grpc.CallContentSubtype(codecName),
		grpc.MaxCallRecvMsgSize(maxMessage),
		grpc.MaxCallSendMsgSize(maxMessage))
}

// send sends the request now and a cancel when ctx ends. The returned function
// takes the second back, and must be called.
func send(ctx context.Context, st grpc.ClientStream, req Request) (forget func(), err error) {
	first := &ask{Request: &req}
	if deadline, ok := ctx.Deadline(); ok {
		// Never 0, which would mean that there is no deadline.
		first.Left = max(time.Until(deadline), time.Nanosecond)
	}
	if err := st.SendMsg(first); err != nil && !errors.Is(err, io.EOF) { // EOF: the reason comes with the answer
		return func() {}, fromTransport(err)
	}
	var once sync.WaitGroup
	once.Add(1)
	stop := context.AfterFunc(ctx, func() {
		defer once.Done()
		_ = st.SendMsg(&ask{Cancel: true}) // a provider that is gone needs no cancel
	})
	return func() {
		if !stop() {
			once.Wait()
		}
	}, nil
}

// receive passes progress on until the answer comes.
func receive(ctx context.Context, st grpc.ClientStream, progress func(Progress)) (msgpack.RawMessage, error) {
	for {
		var a answer
		switch err := st.RecvMsg(&a); {
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("%w: %w", ErrLost, errNoAnswer)
		case err != nil:
			return nil, fromTransport(err)
		case a.Error != nil:
			return nil, withCaller(ctx, a.Error)
		case a.Done:
			return a.Value, nil
		case a.Progress != nil:
			progress(*a.Progress)
		}
	}
}
