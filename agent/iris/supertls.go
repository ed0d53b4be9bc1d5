package iris

import (
	"context"
	"fmt"

	"icm/internal/wire"
)

// superServerSSL is the name that the superserver's TLS configuration must have.
const superServerSSL = "%SuperServer"

// What SSLSuperServer in Security.System means.
const (
	SuperServerPlain = "0" // without TLS only
	SuperServerBoth  = "1" // with and without
)

const superServerState = `do ##class(Security.System).Get("SYSTEM",.old) write +$get(old("SSLSuperServer"))`

func setSuperServer(state string) string {
	return fmt.Sprintf("kill new\nset new(\"SSLSuperServer\")=%s\nset sc=##class(Security.System).Modify(\"SYSTEM\",.new)", state)
}

// SuperServerTLS asks how the superserver takes connections: "0" without TLS,
// "1" both ways, "2" with TLS only.
func (n *Node) SuperServerTLS(ctx context.Context, in wire.Instance) (string, error) {
	return n.Value(ctx, in, "ask about TLS of the superserver", superServerState)
}

// ServeTLS gives the superserver the TLS files in dir.
func (n *Node) ServeTLS(ctx context.Context, in wire.Instance, dir string) error {
	return n.Execute(ctx, in, "make the TLS configuration of the superserver", "set sc=1\n"+sslConfig(superServerSSL, dir, sslServer, 1))
}

// SetSuperServer sets how the superserver takes connections.
func (n *Node) SetSuperServer(ctx context.Context, in wire.Instance, state string) error {
	return n.Execute(ctx, in, "set TLS of the superserver", setSuperServer(state))
}
