package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// connect serves handlers at one end of a pipe without buffers and returns a
// client at the other.
func connect(t *testing.T, handlers map[string]Handler) *Client {
	t.Helper()
	near, far := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- Serve(t.Context(), far, "agent-1", handlers) }()
	c, err := NewClient(near, "icm-1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve ended with %v", err)
		}
	})
	return c
}

func echo(_ context.Context, call *Call) (any, error) {
	var req Hello
	if err := call.Decode(&req); err != nil {
		return nil, err
	}
	return req, nil
}

func TestManyCallsAreInFlightAndEachGetsItsOwnAnswer(t *testing.T) {
	both := make(chan struct{})
	c := connect(t, map[string]Handler{
		"echo": echo,
		"wait": func(ctx context.Context, _ *Call) (any, error) { <-both; return Hello{Build: "waited"}, nil },
	})
	if c.Peer().Build != "agent-1" {
		t.Fatalf("the peer is %+v", c.Peer())
	}
	var all sync.WaitGroup
	all.Go(func() {
		var got Hello
		if err := c.Call(t.Context(), "wait", Hello{}, &got); err != nil || got.Build != "waited" {
			t.Errorf("wait: %+v, %v", got, err)
		}
	})
	for i := range 40 {
		want := fmt.Sprint(i)
		var got Hello
		if err := c.Call(t.Context(), "echo", Hello{Build: want}, &got); err != nil || got.Build != want {
			t.Fatalf("echo %s: %+v, %v", want, got, err)
		}
	}
	close(both)
	all.Wait()
}

func TestAnErrorKeepsItsCodeAndHint(t *testing.T) {
	c := connect(t, map[string]Handler{
		"refuse": func(context.Context, *Call) (any, error) {
			return nil, fmt.Errorf("node: %w", &Error{Code: CodeBusy, Message: "busy", Hint: "wait"})
		},
		"plain": func(context.Context, *Call) (any, error) { return nil, errors.New("disk on fire") },
		"panic": func(context.Context, *Call) (any, error) { panic("oops") },
		"huge": func(context.Context, *Call) (any, error) {
			return Hello{Build: strings.Repeat("x", MaxFrame)}, nil
		},
		"echo": echo,
	})
	for method, want := range map[string]Error{
		"refuse":  {Code: CodeBusy, Message: "node: busy", Hint: "wait"},
		"plain":   {Code: CodeInternal, Message: "disk on fire"},
		"panic":   {Code: CodeInternal, Message: `the agent made a mistake in "panic" (please report it): oops`},
		"unknown": {Code: CodeBadCall, Message: `this agent knows no "unknown"`},
	} {
		err := c.Call(t.Context(), method, Hello{}, nil)
		var got *Error
		if !errors.As(err, &got) || *got != want {
			t.Errorf("%s: got %#v, want %#v", method, err, want)
		}
	}
	var got *Error
	if err := c.Call(t.Context(), "huge", Hello{}, nil); !errors.As(err, &got) || got.Code != CodeInternal {
		t.Errorf("an answer that does not fit is %v", err)
	}
	if err := c.Call(t.Context(), "echo", Facts{}, nil); !errors.As(err, &got) || got.Code != CodeBadCall {
		t.Errorf("a request of the wrong type is %v", err)
	}
	if err := c.Call(t.Context(), "echo", Hello{}, nil); err != nil {
		t.Errorf("after all that the connection is broken: %v", err)
	}
}

func TestItemsComeInOrderBeforeTheReply(t *testing.T) {
	const n = 3 * itemsAhead
	c := connect(t, map[string]Handler{"count": func(ctx context.Context, call *Call) (any, error) {
		for i := range n {
			if err := call.Item(ctx, i); err != nil {
				return nil, err
			}
		}
		return EventsReply{Last: n}, nil
	}})
	next := 0
	var reply EventsReply
	err := c.Stream(t.Context(), "count", EventsRequest{}, func(raw msgpack.RawMessage) error {
		var i int
		if err := Decode(raw, &i); err != nil || i != next {
			return fmt.Errorf("item %d is %d, %w", next, i, err)
		}
		next++
		return nil
	}, &reply)
	if err != nil || next != n || reply.Last != n {
		t.Fatalf("%d items, reply %+v, %v", next, reply, err)
	}
}

func TestCancellingACallEndsItOnTheOtherSideAndLeavesTheConnection(t *testing.T) {
	ended := make(chan error, 1)
	c := connect(t, map[string]Handler{
		"follow": func(ctx context.Context, call *Call) (any, error) {
			if err := call.Item(ctx, 1); err != nil {
				return nil, err
			}
			<-ctx.Done()
			ended <- ctx.Err()
			return nil, ctx.Err()
		},
		"echo": echo,
	})
	ctx, cancel := context.WithCancel(t.Context())
	err := c.Stream(ctx, "follow", EventsRequest{}, func(msgpack.RawMessage) error { cancel(); return nil }, nil)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("the call ended with %v", err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatalf("the handler ended with %v", err)
	}
	if err := c.Call(t.Context(), "echo", Hello{}, nil); err != nil {
		t.Fatal(err)
	}
	stop := errors.New("enough")
	err = c.Stream(t.Context(), "follow", EventsRequest{}, func(msgpack.RawMessage) error { return stop }, nil)
	if !errors.Is(err, stop) {
		t.Fatalf("an error of onItem came back as %v", err)
	}
	<-ended
}

func TestWhenTheConnectionBreaksOpenCallsFailAndHandlersEnd(t *testing.T) {
	near, far := net.Pipe()
	begun, ended := make(chan struct{}), make(chan struct{})
	served := make(chan error, 1)
	go func() {
		served <- Serve(t.Context(), far, "a", map[string]Handler{"hang": func(ctx context.Context, _ *Call) (any, error) {
			close(begun)
			<-ctx.Done()
			close(ended)
			return nil, ctx.Err()
		}})
	}()
	c, err := NewClient(near, "b")
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() { failed <- c.Call(t.Context(), "hang", Hello{}, nil) }()
	<-begun
	if err := near.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err == nil || !strings.Contains(err.Error(), `during "hang"`) {
		t.Fatalf("the open call ended with %v", err)
	}
	<-ended
	<-c.Done()
	if c.Err() == nil {
		t.Fatal("the client gives no reason")
	}
	if err := <-served; err != nil {
		t.Fatalf("Serve ended with %v", err)
	}
	if err := c.Call(t.Context(), "hang", Hello{}, nil); err == nil {
		t.Fatal("a call on a broken connection worked")
	}
}

// script is a peer that says what it was told to and then reads on.
func script(t *testing.T, say []byte) net.Conn {
	t.Helper()
	near, far := net.Pipe()
	go func() {
		_, _ = far.Write(say) // the other side may leave early
		_, _ = io.Copy(io.Discard, far)
	}()
	t.Cleanup(func() { _ = far.Close() })
	return near
}

func hello(t *testing.T, h Hello) []byte {
	t.Helper()
	body, err := Encode(h)
	if err != nil {
		t.Fatal(err)
	}
	frame, err := AppendFrame([]byte(Marker), Frame{Kind: FrameHello, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

func TestAGreetingBeforeTheMarkerIsSkippedButBounded(t *testing.T) {
	ours := Hello{Version: Version, Oldest: OldestVersion, Build: "x"}
	c, err := NewClient(script(t, append([]byte("Welcome to the hospital\r\n\x00icm-agent str"), hello(t, ours)...)), "b")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = NewClient(script(t, []byte(strings.Repeat("y\n", maxGreeting))), "b")
	if err == nil || !strings.Contains(err.Error(), "more than 65536 bytes") {
		t.Fatalf("an endless greeting gave %v", err)
	}
	near, far := net.Pipe()
	go func() {
		_, _ = far.Write([]byte("bash: icm-agent: not found\n"))
		_ = far.Close()
	}()
	_, err = NewClient(near, "b")
	if err == nil || !strings.Contains(err.Error(), "icm-agent: not found") {
		t.Fatalf("what came instead is not told: %v", err)
	}
}

func TestVersionsMustOverlap(t *testing.T) {
	for _, row := range []struct {
		peer Hello
		want string
	}{
		{Hello{Version: Version, Oldest: OldestVersion}, ""},
		{Hello{Version: Version + 1, Oldest: Version}, ""},
		{Hello{Version: Version + 2, Oldest: Version + 1, Build: "new"}, "the other side (new) needs protocol 2 or later, this one speaks 1"},
		{Hello{Version: OldestVersion - 1, Build: "old"}, "the other side (old) speaks protocol 0, this one needs 1 or later"},
	} {
		c, err := NewClient(script(t, hello(t, row.peer)), "b")
		var coded *Error
		switch {
		case row.want == "" && err == nil:
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		case !errors.As(err, &coded) || coded.Code != CodeVersion || coded.Message != row.want:
			t.Errorf("%+v: got %v, want %q", row.peer, err, row.want)
		}
	}
}

func TestTheAgentTellsAControllerThatIsTooNewWhyItLeaves(t *testing.T) {
	near, far := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- Serve(t.Context(), far, "a", nil) }()
	if _, err := io.CopyN(io.Discard, near, int64(len(Marker))); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFrame(near); err != nil {
		t.Fatal(err)
	}
	newer := hello(t, Hello{Version: Version + 5, Oldest: Version + 4, Build: "new"})
	if _, err := near.Write(newer[len(Marker):]); err != nil {
		t.Fatal(err)
	}
	f, err := ReadFrame(near)
	if err != nil || f.Kind != FrameError {
		t.Fatalf("the answer is %+v, %v", f, err)
	}
	var coded *Error
	if err := decodeError(f.Body); !errors.As(err, &coded) || coded.Code != CodeVersion {
		t.Fatalf("the answer is %v", err)
	}
	if err := <-served; err == nil {
		t.Fatal("Serve went on")
	}
}

func TestAnIdleConnectionHasTwoGoroutinesAtMost(t *testing.T) {
	before := runtime.NumGoroutine()
	const n = 20
	for range n {
		c := connect(t, map[string]Handler{"echo": echo})
		if err := c.Call(t.Context(), "echo", Hello{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > before+2*n {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections, both ends, have %d goroutines", n, runtime.NumGoroutine()-before)
		}
		runtime.Gosched()
	}
}

func TestAnAgentThatEndsBreaksTheLineAndBlamesNobody(t *testing.T) {
	for range 50 { // the answer and the end of the line are two goroutines'
		near, far := net.Pipe()
		ctx, stop := context.WithCancel(t.Context())
		begun, served := make(chan struct{}), make(chan error, 1)
		go func() {
			served <- Serve(ctx, far, "a", map[string]Handler{"hang": func(ctx context.Context, _ *Call) (any, error) {
				close(begun)
				<-ctx.Done()
				return nil, ctx.Err()
			}})
		}()
		c, err := NewClient(near, "b")
		if err != nil {
			t.Fatal(err)
		}
		failed := make(chan error, 1)
		go func() { failed <- c.Call(t.Context(), "hang", Hello{}, nil) }()
		<-begun
		stop()
		var said *Error
		if err := <-failed; err == nil || errors.As(err, &said) {
			t.Fatalf("the call was answered: %v", err)
		}
		if err := <-served; err != nil {
			t.Fatal(err)
		}
	}
}
