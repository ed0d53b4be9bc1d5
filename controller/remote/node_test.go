package remote

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"icm/controller/remote/sshtest"
	"icm/internal/wire"
)

func newReader(data []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(data)) }

// agentWorld is a node whose agent is there and answers every session.
func agentWorld(t *testing.T, handlers map[string]wire.Handler) *world {
	return newWorld(t, sshtest.Options{Exec: func(ctx context.Context, s *sshtest.Session) int {
		if !strings.Contains(s.Command, "icm:") {
			return sshtest.Shell(ctx, s)
		}
		_ = wire.Serve(ctx, &joined{Reader: s.Stdin, Writer: s.Stdout, close: func() error { return nil }}, "1.0.0", handlers)
		return 0
	}})
}

var quick = ConnectOptions{Again: Wait{For: time.Minute, Pause: time.Millisecond}}

func (w *world) connect(t *testing.T, opts ConnectOptions) *Node {
	t.Helper()
	n, err := NewDialer(Options{}).Connect(t.Context(), w.target(), agents(t, "1.0.0", ""), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

func TestFollowingSurvivesABrokenLineAndHandsOnEveryEventOnce(t *testing.T) {
	var w *world
	var asked atomic.Int64
	w = agentWorld(t, map[string]wire.Handler{wire.MethodEvents: func(ctx context.Context, call *wire.Call) (any, error) {
		var req wire.EventsRequest
		if err := call.Decode(&req); err != nil {
			return nil, err
		}
		asked.Add(1)
		for seq := req.After + 1; seq <= 9; seq++ {
			if err := call.Item(ctx, wire.Item{Event: &wire.Event{Seq: seq, Change: req.Change}}); err != nil {
				return nil, err
			}
			if seq == 3 || seq == 6 {
				w.CloseConns()
				<-ctx.Done()
				return nil, ctx.Err()
			}
		}
		return wire.EventsReply{Last: 9}, nil
	}})
	waited := atomic.Int64{}
	opts := quick
	opts.Again.Told = func(Waiting) { waited.Add(1) }
	n := w.connect(t, opts)
	var got []uint64
	err := n.Follow(t.Context(), "c1", 1, func(it wire.Item) error {
		got = append(got, it.Event.Seq)
		return nil
	})
	if err != nil || !slices.Equal(got, []uint64{2, 3, 4, 5, 6, 7, 8, 9}) {
		t.Errorf("got %v, %v", got, err)
	}
	if asked.Load() < 2 {
		t.Error("the line never broke")
	}
}

func TestFollowingEndsWithTheErrorOfItsReaderOrOfTheAgent(t *testing.T) {
	w := agentWorld(t, map[string]wire.Handler{wire.MethodEvents: func(ctx context.Context, call *wire.Call) (any, error) {
		var req wire.EventsRequest
		if err := call.Decode(&req); err != nil {
			return nil, err
		}
		if req.Change == "unknown" {
			return nil, &wire.Error{Code: wire.CodeNotFound, Message: "no such change"}
		}
		return nil, call.Item(ctx, wire.Item{Event: &wire.Event{Seq: 1}})
	}})
	n := w.connect(t, quick)
	stop := errors.New("stop")
	if err := n.Follow(t.Context(), "c1", 0, func(wire.Item) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("err = %v", err)
	}
	var said *wire.Error
	if err := n.Follow(t.Context(), "unknown", 0, nil); !errors.As(err, &said) || said.Code != wire.CodeNotFound {
		t.Errorf("err = %v", err)
	}
}

func TestACallMendsALineThatIsKnownToBeBroken(t *testing.T) {
	w := agentWorld(t, map[string]wire.Handler{wire.MethodFacts: func(context.Context, *wire.Call) (any, error) {
		return wire.Facts{Hostname: "n1"}, nil
	}})
	n := w.connect(t, quick)
	w.CloseConns()
	<-n.Agent().Done()
	var facts wire.Facts
	if err := n.Call(t.Context(), wire.MethodFacts, wire.FactsRequest{}, &facts); err != nil || facts.Hostname != "n1" {
		t.Errorf("%+v, %v", facts, err)
	}
	if w.Logins() != 2 {
		t.Errorf("%d logins", w.Logins())
	}
}

func TestAClosedNodeDoesNotComeBack(t *testing.T) {
	n := agentWorld(t, nil).connect(t, quick)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if err := n.Call(t.Context(), wire.MethodFacts, wire.FactsRequest{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}

func TestOneDeadNodeOfManyDoesNotStopTheOthers(t *testing.T) {
	w := agentWorld(t, nil)
	targets := make([]Target, 12)
	for i := range targets {
		targets[i] = w.target()
	}
	targets[5].Port = 1
	got := NewDialer(Options{Parallel: 3}).ConnectAll(t.Context(), targets, agents(t, "1.0.0", ""), quick, 4)
	for i, c := range got {
		if i == 5 {
			if !errors.Is(c.Err, ErrRefused) || c.Node != nil {
				t.Errorf("node 5: %v", c.Err)
			}
			continue
		}
		if c.Err != nil {
			t.Errorf("node %d: %v", i, c.Err)
			continue
		}
		_ = c.Node.Close()
	}
}

func TestAFileGoesToTheAgentOnASessionOfItsOwn(t *testing.T) {
	want := "sudo -n /usr/local/lib/icm-agent/current/icm-agent put 'a kit.tar.gz' 12 abcd"
	if got := putFileCommand("irisadm", "a kit.tar.gz", 12, "abcd"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := putFileCommand("root", "k", 1, "ab"); strings.HasPrefix(got, "sudo") {
		t.Errorf("root asks sudo: %s", got)
	}
}
