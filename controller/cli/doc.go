// Package cli is what a user types and sees: one file per command, and the
// only package that prints. The work is in package deploy.
package cli
