package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"icm/plugins/lab/internal/command"
)

// classNet lists the network interfaces of this machine.
const classNet = "/sys/class/net"

// Exists reports whether this machine has an interface with that name.
func Exists(name string) bool {
	_, err := os.Lstat(filepath.Join(classNet, name))
	return err == nil
}

// Up makes the bridge exist, with its address, and lets it work.
func (s Subnet) Up(ctx context.Context) error {
	bridge := s.Bridge()
	if !Exists(bridge) {
		if err := ip(ctx, "link", "add", bridge, "address", s.MAC(0), "type", "bridge"); err != nil {
			return err
		}
	}
	if err := ip(ctx, "address", "replace", s.Host().String(), "dev", bridge); err != nil {
		return err
	}
	return ip(ctx, "link", "set", bridge, "up")
}

// Down removes the bridge and what is left of the nodes' links.
func (s Subnet) Down(ctx context.Context) error {
	entries, err := os.ReadDir(classNet)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), s.Bridge()+"-") {
			if err := remove(ctx, e.Name()); err != nil {
				return err
			}
		}
	}
	return remove(ctx, s.Bridge())
}

// RemoveLink removes this machine's end of the cable to node number n, and
// with it the other end.
func (s Subnet) RemoveLink(ctx context.Context, n int) error { return remove(ctx, s.Link(n)) }

func remove(ctx context.Context, name string) error {
	if !Exists(name) {
		return nil
	}
	err := ip(ctx, "link", "delete", name)
	if err != nil && !Exists(name) {
		return nil // it went with its node in between
	}
	return err
}

// Cut pulls the cable to node number n: both ends lose their carrier.
func (s Subnet) Cut(ctx context.Context, n int) error {
	return ip(ctx, "link", "set", s.Link(n), "down")
}

// Heal plugs the cable in again.
func (s Subnet) Heal(ctx context.Context, n int) error {
	return ip(ctx, "link", "set", s.Link(n), "up")
}

// upFlag is IFF_UP.
const upFlag = 1

// IsCut reports whether the cable to node number n is pulled.
func (s Subnet) IsCut(n int) (bool, error) {
	text, err := os.ReadFile(filepath.Join(classNet, s.Link(n), "flags"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	flags, err := strconv.ParseUint(strings.TrimSpace(string(text)), 0, 32)
	if err != nil {
		return false, fmt.Errorf("cannot read the flags of %s: %w", s.Link(n), err)
	}
	return flags&upFlag == 0, nil
}

func ip(ctx context.Context, args ...string) error {
	_, err := command.New("ip", args...).Run(ctx)
	return err
}
