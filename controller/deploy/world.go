package deploy

import (
	"context"
	"io"
	"time"

	"icm/controller/state"
	"icm/internal/secret"
	"icm/internal/wire"
	"icm/plugins/provider"
)

// World is everything outside that an operation touches. The program makes a
// real one; tests make their own.
type World struct {
	// Provider starts the plugin of that name. stop ends it, after its calls
	// have returned.
	Provider func(ctx context.Context, name string) (p provider.Provider, stop func() error, err error)
	// Reach connects to a node, without an agent.
	Reach func(ctx context.Context, to Address) (Shell, error)
	// Connect connects to a node and its agent, which is put there, or
	// replaced by this build's, when need be.
	Connect func(ctx context.Context, to Address) (Node, error)
	// RemoveAgent takes the agent off a node, without a trace. The node's
	// connection stays.
	RemoveAgent func(ctx context.Context, n Node) error
	Report      Reporter
	Now         func() time.Time
	// Build names this build of icm.
	Build string
}

// Address is how a node is reached.
type Address struct {
	Machine    string
	Host       string // IP address or name
	Port       int
	User       string
	KeyFile    string
	PublicKey  string // authorized_keys line, "" when not known
	Password   secret.Secret
	Bastion    string     // "user@host:port"
	KnownHosts *state.Dir // where its host keys are pinned
	// Patient waits for a node that is starting.
	Patient bool
	// FirstBoot waits for one that starts for the first time, and lets nobody
	// in until cloud-init has made the user.
	FirstBoot bool
}

// Shell is a connection to a node: commands and files, no agent.
type Shell interface {
	// Run runs a command of the operator's in the user's shell. It returns
	// the exit status; err is about the connection.
	Run(ctx context.Context, command string, stdin io.Reader, stdout, stderr io.Writer) (int, error)
	// Interactive joins a command, or a login shell when it is empty, to this
	// process's terminal.
	Interactive(ctx context.Context, command string) (int, error)
	// Copy copies a local file or directory by the rules of `icm scp`.
	Copy(ctx context.Context, local, remote string, moved func(done, total int64)) error
	Close() error
}

// Node is a connection to a node's agent.
type Node interface {
	// Call calls a method of the agent; see package wire.
	Call(ctx context.Context, method string, req, reply any) error
	// Follow hands on what the agent's journal says of a change, after a
	// number on, until the change has ended. It survives a lost connection.
	Follow(ctx context.Context, change string, after uint64, item func(wire.Item) error) error
	// Put streams size bytes to the agent's store, under a plain name. The agent
	// checks the sha256, and keeps nothing that is not whole.
	Put(ctx context.Context, name string, in io.Reader, size int64, sha256 string) error
	// Shell is the connection below.
	Shell() Shell
	Close() error
}
