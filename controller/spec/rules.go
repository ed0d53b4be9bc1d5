package spec

import (
	"fmt"
	"slices"
	"strings"
)

// rules checks what several fields say together. What nodes say together is
// the topology's.
func (l *loader) rules(s *Spec) {
	l.zones(s)
	l.addresses(s)
	for _, d := range s.Definitions {
		l.docker(d)
		l.storage(d)
		l.balancer(d)
		l.vsphere(d)
		l.iops(d)
	}
	l.azure(s)
	l.monitor(s)
	l.consul(s)
}

// addresses checks the entries of PreExisting: one node each, which is found.
func (l *loader) addresses(s *Spec) {
	if l.provider != PreExisting {
		return
	}
	seen := map[string]Definition{}
	for _, d := range s.Definitions {
		if d.Count > 1 {
			l.problem(d.Fields.Position("Count"), "Count", "with PreExisting every entry is one node", "remove Count and write one entry for each node")
		}
		if d.Fields.Get("IPAddress") == "" && d.Fields.Get("DNSName") == "" {
			l.problem(d.Pos, "IPAddress", "the entry has neither IPAddress nor DNSName", `add "IPAddress": "172.16.110.9", or a DNSName that can be resolved`)
		}
		for _, field := range []string{"IPAddress", "DNSName"} {
			value := strings.ToLower(d.Fields.Get(field))
			if value == "" {
				continue
			}
			if other, twice := seen[value]; twice && other.Index != d.Index {
				l.problem(d.Fields.Position(field), field, fmt.Sprintf("%s %s is that of the entry of line %d already", field, value, other.Pos.Line), "a node has one entry")
			}
			seen[value] = d
		}
	}
}

func (l *loader) docker(d Definition) {
	if d.Fields.Bool("Containerless") || d.Fields.Get("DockerStorageDriver") != "overlay2" {
		return
	}
	if fs := d.Fields.Get("FileSystem"); fs != "xfs" {
		l.problem(d.at("FileSystem"), "FileSystem", fmt.Sprintf("DockerStorageDriver overlay2 needs FileSystem xfs, not %s", fs), `write "FileSystem": "xfs"`)
	}
	if device := d.Fields.Get("DockerDeviceName"); !strings.EqualFold(device, "null") {
		l.problem(d.at("DockerDeviceName"), "DockerDeviceName", "DockerStorageDriver overlay2 takes no Docker device", `write "DockerDeviceName": "null", or remove it`)
	}
}

// at is where the entry's field stands, or the entry.
func (d Definition) at(field string) Position {
	if pos := d.Fields.Position(field); pos.File != "" {
		return pos
	}
	return d.Pos
}

// HasLoadBalancers reports whether the provider makes load balancers.
func HasLoadBalancers(provider string) bool {
	return slices.Contains([]string{AWS, GCP, Azure}, provider)
}

func (l *loader) balancer(d Definition) {
	if !d.Fields.Bool("LoadBalancer") || d.Role == "" {
		return
	}
	pos := d.at("LoadBalancer")
	switch {
	case !slices.Contains(balancerRoles, d.Role):
		if d.Fields.Source("LoadBalancer") == FromDefinitions {
			l.problem(pos, "LoadBalancer", fmt.Sprintf("LoadBalancer may not stand in an entry of role %s", d.Role), "remove it; it is for AM, WS, VM and CN")
		}
	case !HasLoadBalancers(l.provider):
		l.warn(pos, "LoadBalancer", fmt.Sprintf("%s makes no load balancers; LoadBalancer does nothing for %s", l.provider, d.Name), "set up a load balancer of your own")
	case d.Role == "VM" || d.Role == "CN":
		l.genericBalancer(d)
	}
}

// genericBalancer needs to be told everything, since icm does not know what
// runs on the nodes.
func (l *loader) genericBalancer(d Definition) {
	needed := []string{"ForwardProtocol", "ForwardPort", "HealthCheckProtocol", "HealthCheckPort"}
	if strings.HasPrefix(strings.ToLower(d.Fields.Get("HealthCheckProtocol")), "http") {
		needed = append(needed, "HealthCheckPath")
	}
	for _, field := range needed {
		if d.Fields.Get(field) == "" {
			l.problem(d.Pos, field, fmt.Sprintf("%s is missing: a load balancer of role %s must be told it", field, d.Role), fmt.Sprintf("add %q to the entry", field))
		}
	}
}
