// Package disk makes the block devices of lab nodes: sparse files behind loop
// devices.
//
// A loop device is found again by its backing file, never by a number written
// down somewhere: numbers change when the machine starts again. The kernel is
// asked directly, without an outside program, so that a killed provider leaves
// no half-done call behind that attaches a device later.
package disk
