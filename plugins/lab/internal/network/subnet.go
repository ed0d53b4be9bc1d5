package network

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
)

// subnets is how many /24 fit into 198.18.0.0/15.
const subnets = 512

// MaxNodes is how many nodes fit into one subnet, beside the host.
const MaxNodes = 253

// Subnet is one of the lab's networks, 0 to 511.
type Subnet int

// ErrFull means that every subnet of the lab is taken.
var ErrFull = errors.New("all 512 lab networks are taken")

// Choose returns the deployment's own subnet, or the next one that is not
// taken. The same deployment gets the same subnet wherever it can.
func Choose(deployment string, taken func(Subnet) bool) (Subnet, error) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(deployment)) // never fails
	first := int(h.Sum32() % subnets)
	for i := range subnets {
		if s := Subnet((first + i) % subnets); !taken(s) {
			return s, nil
		}
	}
	return 0, ErrFull
}

// InUse reports whether an interface of this machine has an address in the
// subnet.
func (s Subnet) InUse() (bool, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false, err
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Overlaps(s.Prefix()) {
			return true, nil
		}
	}
	return false, nil
}

// Prefix is the subnet itself, "198.18.37.0/24".
func (s Subnet) Prefix() netip.Prefix { return netip.PrefixFrom(s.addr(0), 24) }

// Host is the address of this machine on the bridge.
func (s Subnet) Host() netip.Prefix { return netip.PrefixFrom(s.addr(1), 24) }

// Node is the address of node number n, counted from 1.
func (s Subnet) Node(n int) netip.Prefix { return netip.PrefixFrom(s.addr(n+1), 24) }

func (s Subnet) addr(last int) netip.Addr {
	return netip.AddrFrom4([4]byte{198, byte(18 + s/256), byte(s % 256), byte(last)})
}

// Bridge is the name of the bridge.
func (s Subnet) Bridge() string { return fmt.Sprintf("icml%d-%d", 18+s/256, s%256) }

// Link is the name of this machine's end of the cable to node number n. With
// its 13 characters at most it fits into a kernel that takes 15.
func (s Subnet) Link(n int) string { return fmt.Sprintf("%s-%d", s.Bridge(), n+1) }

// MAC is the hardware address of node number n; 0 is the bridge. It is fixed,
// as that of a machine would be, so that no neighbour remembers a stale one.
func (s Subnet) MAC(n int) string {
	return fmt.Sprintf("02:69:63:%02x:%02x:%02x", 18+s/256, s%256, n+1)
}
