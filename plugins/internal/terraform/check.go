package terraform

import (
	"fmt"
	"net"
	"regexp"
	"strings"

	"icm/plugins/provider"
)

// Complain takes what is wrong with a field, and what to do about it.
type Complain func(field, text, hint string)

// Checker collects problems.
type Checker struct {
	d   *Deployment
	out []provider.Problem
}

// NewChecker begins with what all clouds want.
func NewChecker(d *Deployment) *Checker {
	c := &Checker{d: d}
	for _, network := range d.Global.List("AllowedNetworks") {
		if _, _, err := net.ParseCIDR(network); err != nil {
			c.add(-1, "AllowedNetworks", fmt.Sprintf("%q is no network", network), `write networks as "192.0.2.0/24,198.51.100.0/24"`)
		}
	}
	if strings.TrimSpace(d.PublicKey) == "" {
		c.add(-1, "SSHPublicKey", "there is no public key to enter the nodes with", "")
	}
	return c
}

func (c *Checker) add(definition int, field, text, hint string) {
	c.out = append(c.out, provider.Problem{Definition: definition, Field: field, Text: text, Hint: hint})
}

// Add takes a problem of the defaults file.
func (c *Checker) Add(field, text, hint string) { c.add(-1, field, text, hint) }

// Problems are those found.
func (c *Checker) Problems() []provider.Problem { return c.out }

// NeedGlobal wants fields of the defaults file.
func (c *Checker) NeedGlobal(names ...string) {
	for _, name := range names {
		if c.d.Global.Get(name) == "" {
			c.add(-1, name, name+" is missing", "")
		}
	}
}

// Need wants fields of a node.
func (c *Checker) Need(n *Node, names ...string) {
	for _, name := range names {
		if n.Fields.Get(name) == "" {
			c.add(n.Definition, name, name+" is missing", "")
		}
	}
}

// EachNode looks at every node.
func (c *Checker) EachNode(look func(n *Node, bad Complain)) {
	for _, g := range c.d.Groups {
		for _, n := range g.Nodes {
			look(n, func(field, text, hint string) { c.add(n.Definition, field, text, hint) })
		}
	}
}

var subnetForm = regexp.MustCompile(`^\d+\.\d+\.%d\.0/24$`)

// Subnets wants the form of the subnets' addresses, such as 10.0.%d.0/24.
func (c *Checker) Subnets(form, field string) {
	if !subnetForm.MatchString(form) || net.ParseIP(strings.TrimSuffix(fmt.Sprintf(strings.Replace(form, "%d", "%v", 1), 0), "/24")) == nil {
		c.add(-1, field, fmt.Sprintf("%q is no form of subnets", form), `write it as "172.17.%d.0/24": %d is the number of the subnet`)
	}
}

// WholeNetwork is the network that subnets of a form lie in: 10.0.0.0/16.
func WholeNetwork(form string) string {
	return strings.Replace(strings.Replace(form, "%d", "0", 1), "/24", "/16", 1)
}

// FieldOf is the beginning of the names of a volume's fields: "Data".
func FieldOf(v Volume) string {
	for _, p := range purposes {
		if p.purpose == v.Purpose {
			return p.field
		}
	}
	return "OS"
}

// Taken are those of some variables that are set.
func Taken(outside func(string) string, names []string) map[string]string {
	env := map[string]string{}
	for _, name := range names {
		if v := outside(name); v != "" {
			env[name] = v
		}
	}
	return env
}
