package provider

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// Serve is the whole main function of a provider's program. It returns when icm
// has hung up and every call has ended; icm being killed counts as hanging up,
// and cancels the calls. SIGTERM does the same.
//
// Standard output belongs to the handshake: a provider writes nothing there.
func Serve(p Provider) {
	handshake := Handshake()
	if os.Getenv(handshake.MagicCookieKey) != handshake.MagicCookieValue {
		byHand(os.Stderr, filepath.Base(os.Args[0]), p)
		os.Exit(1)
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	srv := &server{provider: p, stop: stop}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: handshake,
		Plugins:         plugin.PluginSet{PluginName: &Plugin{server: srv}},
		GRPCServer:      func(opts []grpc.ServerOption) *grpc.Server { return newServer(srv, opts) },
		Logger:          NewLogger("").Named("go-plugin"),
	})
	srv.calls.wait()
}

// newServer makes the gRPC server, which stops by itself when it is told to,
// and when the one connection it is there for has closed.
func newServer(srv *server, opts []grpc.ServerOption) *grpc.Server {
	hungUp := make(chan struct{})
	opts = append(opts, ServerOptions()...)
	opts = append(opts, grpc.StatsHandler(&connections{last: hungUp}))
	s := grpc.NewServer(opts...)
	go func() {
		select {
		case <-srv.stop.Done():
		case <-hungUp:
		}
		srv.calls.wait()
		stopServer(s)
	}()
	return s
}

// flushTime is how long answers have to leave. go-plugin keeps streams of its
// own open for as long as icm is there, so a graceful stop alone may never end.
const flushTime = time.Second

func stopServer(s *grpc.Server) {
	force := time.AfterFunc(flushTime, s.Stop)
	defer force.Stop()
	s.GracefulStop()
}

// NewLogger makes the log of a provider: lines on standard error that icm
// reads and puts into its own log. Secrets must not go there.
func NewLogger(name string) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Name:       name,
		Level:      hclog.Debug,
		Output:     os.Stderr,
		JSONFormat: true,
	})
}

// byHand answers somebody who runs the program in a shell.
func byHand(w io.Writer, program string, p Provider) {
	name := "…"
	if info, err := p.Info(context.Background()); err == nil {
		name = fmt.Sprintf("%s %s", info.Name, info.Version)
	}
	fmt.Fprintf(w, "%s: this is the provider %s of icm; it does nothing by itself\n", program, name)
	fmt.Fprintf(w, "%s: hint: icm starts it when defaults.json names it as the \"Provider\"\n", program)
}
