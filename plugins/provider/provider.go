package provider

import "context"

// Provider makes nodes exist and cease to. All methods may be called again
// after any failure: Provision twice gives the same nodes, Unprovision of
// nothing is no error.
//
// Cancelling ctx asks a call to stop as soon as that is safe; the caller waits
// for it to return. progress may be called from any goroutine until the method
// has returned.
type Provider interface {
	// Info says what this provider is. It does no work and needs no network.
	Info(ctx context.Context) (Info, error)
	// Validate finds what is wrong with a request without touching anything
	// outside. A problem is not an error.
	Validate(ctx context.Context, req Request) ([]Problem, error)
	// Plan says what Provision would make, change and destroy.
	Plan(ctx context.Context, req Request) ([]Action, error)
	// Provision makes the nodes of the request exist, and returns all of them.
	Provision(ctx context.Context, req Request, progress func(Progress)) (Result, error)
	// Inventory returns the nodes of the deployment that exist.
	Inventory(ctx context.Context, req Request) (Result, error)
	// Unprovision destroys what Provision made. Nodes that were given, not
	// made, are left as they are.
	Unprovision(ctx context.Context, req Request, progress func(Progress)) error
}
