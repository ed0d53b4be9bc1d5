// Package kitfile brings kits onto the node: fetches the archive, proves that
// it is whole, and unpacks it without trusting what is in it.
package kitfile
