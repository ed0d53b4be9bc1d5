package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"icm/agent/engine"
	"icm/internal/wire"
)

func TestAdmission(t *testing.T) {
	for _, row := range []struct {
		who   string
		peer  peer
		group int
		in    bool
	}{
		{"root", peer{uid: 0}, -1, true},
		{"a member by its first group", peer{uid: 5, gid: 7}, 7, true},
		{"a member by another group", peer{uid: 5, gid: 1, groups: []int{2, 7}}, 7, true},
		{"a stranger", peer{uid: 5, gid: 1, groups: []int{2}}, 7, false},
		{"anybody, where there is no group", peer{uid: 5, gid: 1}, -1, false},
	} {
		if err := admit(row.peer, row.group); (err == nil) != row.in {
			t.Errorf("%s: %v", row.who, err)
		}
	}
}

func TestMethodsReachTheEngineAndTheNode(t *testing.T) {
	dir := t.TempDir()
	kinds := map[string]engine.Kind{"nothing": {Do: func(context.Context, *engine.Task) error { return nil }}}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	eng, err := engine.Open(filepath.Join(dir, "home"), kinds, log)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "run", "sock")
	l, err := Listen(path, -1)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Fatalf("the socket is %v, %v", info.Mode(), err)
	}
	ctx, stop := context.WithCancel(t.Context())
	s := &Server{Build: "b1", Engine: eng, Log: log, Group: -1,
		Node: Node{Facts: func(context.Context) (wire.Facts, error) { return wire.Facts{NodeID: "n1"}, nil }}}
	ended := make(chan error, 2)
	go func() { ended <- eng.Run(ctx) }()
	go func() { ended <- s.Serve(ctx, l) }()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := wire.NewClient(conn, "c1")
	if err != nil {
		t.Fatal(err)
	}
	change := wire.Change{ID: "1", OnError: wire.Undo, Tasks: []wire.Task{{ID: "1", Kind: "nothing", Args: []byte("{}")}}}
	req := wire.SubmitRequest{Fence: wire.Fence{Deployment: "d", Number: 1}, Change: change}
	if err := c.Call(t.Context(), wire.MethodSubmit, req, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Stream(t.Context(), wire.MethodEvents, wire.EventsRequest{Change: "1", Follow: true},
		func(raw msgpack.RawMessage) error { return wire.Decode(raw, &wire.Item{}) }, nil); err != nil {
		t.Fatal(err)
	}
	var facts wire.Facts
	if err := c.Call(t.Context(), wire.MethodFacts, wire.FactsRequest{}, &facts); err != nil ||
		facts.NodeID != "n1" || facts.Build != "b1" || facts.Deployment != "d" || facts.Busy != "" {
		t.Errorf("facts are %+v, %v", facts, err)
	}
	var e *wire.Error
	if err := c.Call(t.Context(), wire.MethodSession, wire.SessionRequest{}, nil); !errors.As(err, &e) || e.Code != wire.CodeBadCall {
		t.Errorf("a method that is not there gave %v", err)
	}
	stop()
	if err := errors.Join(<-ended, <-ended, c.Close(), eng.Close()); err != nil {
		t.Error(err)
	}
}
