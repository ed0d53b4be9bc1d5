package provider

import (
	"context"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// PluginName is what go-plugin calls the one thing a provider's program offers.
const PluginName = "provider"

// Handshake tells a provider's program that it was started by icm, and whether
// both speak the same version of the contract. It is no protection: that is
// the checksum of the program and the certificates of the connection.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{
		ProtocolVersion:  ProtocolVersion,
		MagicCookieKey:   "ICM_PROVIDER",
		MagicCookieValue: "d6e0a4f9-started-by-icm",
	}
}

// Plugin joins the contract to go-plugin. icm uses its zero value, a
// provider's program one with Impl.
type Plugin struct {
	plugin.NetRPCUnsupportedPlugin
	Impl Provider

	server *server
}

var _ plugin.GRPCPlugin = (*Plugin)(nil)

// GRPCServer implements plugin.GRPCPlugin.
func (p *Plugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	srv := p.server
	if srv == nil {
		srv = &server{provider: p.Impl, stop: context.Background()}
	}
	s.RegisterService(service(), srv)
	return nil
}

// GRPCClient implements plugin.GRPCPlugin. The result is a [Provider].
func (p *Plugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, cc *grpc.ClientConn) (any, error) {
	return client{cc}, nil
}

// ServerOptions are what a gRPC server of this contract must be made with.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage)}
}
