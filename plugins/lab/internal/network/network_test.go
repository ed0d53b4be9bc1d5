package network

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestASubnetNamesItsParts(t *testing.T) {
	for _, c := range []struct {
		subnet                          Subnet
		prefix, host, node, bridge, mac string
		link                            string
	}{
		{0, "198.18.0.0/24", "198.18.0.1/24", "198.18.0.2/24", "icml18-0", "02:69:63:12:00:02", "icml18-0-2"},
		{37, "198.18.37.0/24", "198.18.37.1/24", "198.18.37.2/24", "icml18-37", "02:69:63:12:25:02", "icml18-37-2"},
		{511, "198.19.255.0/24", "198.19.255.1/24", "198.19.255.2/24", "icml19-255", "02:69:63:13:ff:02", "icml19-255-2"},
	} {
		got := []string{
			c.subnet.Prefix().String(), c.subnet.Host().String(), c.subnet.Node(1).String(),
			c.subnet.Bridge(), c.subnet.MAC(1), c.subnet.Link(1),
		}
		if diff := cmp.Diff([]string{c.prefix, c.host, c.node, c.bridge, c.mac, c.link}, got); diff != "" {
			t.Errorf("subnet %d (-want +got):\n%s", c.subnet, diff)
		}
	}
}

func TestEveryNodeHasItsOwnNamesAndAddress(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := Subnet(rapid.IntRange(0, 511).Draw(t, "a")), Subnet(rapid.IntRange(0, 511).Draw(t, "b"))
		n, m := rapid.IntRange(1, MaxNodes).Draw(t, "n"), rapid.IntRange(1, MaxNodes).Draw(t, "m")
		same := a == b && n == m
		if (a.Node(n) == b.Node(m)) != same || (a.Link(n) == b.Link(m)) != same || (a.MAC(n) == b.MAC(m)) != same {
			t.Fatalf("subnet %d node %d and subnet %d node %d are mixed up", a, n, b, m)
		}
		if len(a.Link(n)) > 15 || !a.Prefix().Contains(a.Node(n).Addr()) || a.Node(n) == a.Host() {
			t.Fatalf("subnet %d node %d does not fit: %s %s", a, n, a.Link(n), a.Node(n))
		}
	})
}

func TestADeploymentKeepsItsSubnetUnlessItIsTaken(t *testing.T) {
	free := func(Subnet) bool { return false }
	first, err := Choose("ICM-1", free)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Choose("ICM-1", free)
	if err != nil || again != first {
		t.Errorf("the second Choose = %d, %v; want %d", again, err, first)
	}
	next, err := Choose("ICM-1", func(s Subnet) bool { return s == first })
	if err != nil || next != (first+1)%subnets {
		t.Errorf("with %d taken, Choose = %d, %v; want the next", first, next, err)
	}
	if _, err := Choose("ICM-1", func(Subnet) bool { return true }); !errors.Is(err, ErrFull) {
		t.Errorf("with all taken, Choose said %v, want ErrFull", err)
	}
}

func TestRates(t *testing.T) {
	for _, c := range []struct {
		text string
		want Rate
		args string
		bad  bool
	}{
		{text: "", want: 0, args: "qdisc replace dev x root pfifo_fast"},
		{text: "off", want: 0, args: "qdisc replace dev x root pfifo_fast"},
		{text: "200mbit", want: 200e6, args: "qdisc replace dev x root tbf rate 200000000bit burst 250000 latency 20ms"},
		{text: "64kbit", want: 64e3, args: "qdisc replace dev x root tbf rate 64000bit burst 131072 latency 20ms"},
		{text: "10gbit", want: 10e9, args: "qdisc replace dev x root tbf rate 10000000000bit burst 12500000 latency 20ms"},
		{text: "200", bad: true},
		{text: "fast", bad: true},
		{text: "0mbit", bad: true},
		{text: "1mbit; reboot", bad: true},
	} {
		got, err := ParseRate(c.text)
		if got != c.want || (err != nil) != c.bad {
			t.Errorf("ParseRate(%q) = %d, %v; want %d, error %v", c.text, got, err, c.want, c.bad)
		}
		if args := strings.Join(got.qdisc("x"), " "); !c.bad && args != c.args {
			t.Errorf("%q becomes tc %s, want %s", c.text, args, c.args)
		}
	}
}
