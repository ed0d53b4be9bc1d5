package providertest

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"icm/plugins/provider"
)

// Connect serves p on a socket and returns it as icm sees it: from the other
// end of the wire. Both ends are closed when the test ends.
func Connect(t testing.TB, p provider.Provider) provider.Provider {
	t.Helper()
	// t.TempDir may be too long for the name of a socket.
	dir, err := os.MkdirTemp("", "icm-wire-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(provider.ServerOptions()...)
	if err := (&provider.Plugin{Impl: p}).GRPCServer(nil, s); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-done; err != nil {
			t.Errorf("serving ended with %v", err)
		}
	})
	cc, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cc.Close() })
	c, err := (&provider.Plugin{}).GRPCClient(context.Background(), nil, cc)
	if err != nil {
		t.Fatal(err)
	}
	return c.(provider.Provider)
}
