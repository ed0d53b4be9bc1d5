// Package keygen makes the keys that a deployment needs: an SSH key pair, and
// the files of TLSKeyDir. It replaces ICM's two scripts and keeps their file
// names. Nothing that exists is overwritten.
package keygen
