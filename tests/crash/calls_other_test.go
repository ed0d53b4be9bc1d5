//go:build !amd64

package crash

// oldCalls are those that newer architectures do not have.
var oldCalls []call
