package terraform

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"icm/plugins/provider"
)

// Balancer is a load balancer before the nodes of one definition.
type Balancer struct {
	Machine string // "ACME-LB-TEST-0000", numbered by the definition's index
	Role    string // of the nodes behind it
	Name    string // "ACME-AM-TEST": what a cloud is to call it
	Port    int
	// Health is how it finds out whether a node is well.
	HealthProtocol, HealthPath string
	HealthPort                 int
	Nodes                      []string
}

// predefined are the balancers whose fields need not be given.
var predefined = map[string]struct{ protocol, healthProtocol, path string }{
	"AM": {"tcp", "tcp", "/csp/user/isc_status.cxw"},
	"WS": {"http", "tcp", ""},
}

// readBalancer reads the balancer of a definition; nil where it has none.
func readBalancer(req provider.Request, def provider.Definition) (*Balancer, []provider.Problem) {
	if len(def.Nodes) == 0 {
		return nil, nil
	}
	f := Fields(def.Nodes[0].Fields)
	role := map[string]bool{"AM": true, "WS": true, "VM": true, "CN": true}[def.Role]
	if !f.Bool("LoadBalancer") || !role {
		return nil, nil
	}
	b := &Balancer{
		Machine: fmt.Sprintf("%s-LB-%s-%04d", req.Label, req.Tag, def.Index), Role: def.Role, Name: def.Name,
		Port: f.Int("ForwardPort"), HealthProtocol: strings.ToLower(f.Get("HealthCheckProtocol")),
		HealthPath: f.Get("HealthCheckPath"), HealthPort: f.Int("HealthCheckPort"),
	}
	for _, w := range def.Nodes {
		b.Nodes = append(b.Nodes, w.MachineName)
	}
	protocol := strings.ToLower(f.Get("ForwardProtocol"))
	if known, ok := predefined[def.Role]; ok {
		fill(&protocol, known.protocol)
		fill(&b.HealthProtocol, known.healthProtocol)
		fill(&b.HealthPath, known.path)
		usual := 80
		if def.Role == "AM" {
			usual = instancePorts(f)[0]
		}
		if b.Port == 0 {
			b.Port = usual
		}
		if b.HealthPort == 0 {
			b.HealthPort = usual
		}
	}
	return b, b.check(def.Index, protocol)
}

func fill(s *string, text string) {
	if *s == "" {
		*s = text
	}
}

func (b *Balancer) check(index int, protocol string) []provider.Problem {
	var out []provider.Problem
	bad := func(field, text, hint string) {
		out = append(out, provider.Problem{Definition: index, Field: field, Text: text, Hint: hint})
	}
	generic := "a load balancer before " + b.Role + " nodes must be told: "
	switch protocol {
	case "tcp", "http", "https": // all of them are passed on as they are
	case "":
		bad("ForwardProtocol", generic+"ForwardProtocol is missing", `add "ForwardProtocol": "tcp"`)
	default:
		bad("ForwardProtocol", fmt.Sprintf("a load balancer cannot forward %q", protocol), "use tcp or http")
	}
	if b.Port == 0 {
		bad("ForwardPort", generic+"ForwardPort is missing", `add "ForwardPort": "443"`)
	}
	if b.HealthPort == 0 {
		bad("HealthCheckPort", generic+"HealthCheckPort is missing", `add "HealthCheckPort": "`+strconv.Itoa(max(b.Port, 80))+`"`)
	}
	switch b.HealthProtocol {
	case "tcp":
		b.HealthPath = ""
	case "http":
		if !strings.HasPrefix(b.HealthPath, "/") {
			bad("HealthCheckPath", "an http health check needs HealthCheckPath, which begins with a slash", `add "HealthCheckPath": "/csp/status.cxw"`)
		}
	case "":
		bad("HealthCheckProtocol", generic+"HealthCheckProtocol is missing", `add "HealthCheckProtocol": "tcp"`)
	default:
		bad("HealthCheckProtocol", fmt.Sprintf("a health check cannot be %q", b.HealthProtocol), "use tcp or http")
	}
	return out
}

// Health is the check, for a template.
func (b *Balancer) Health() Vars {
	return Vars{"protocol": b.HealthProtocol, "port": b.HealthPort, "path": b.HealthPath}
}

// ShortName makes a name fit where a cloud allows fewer characters: what is
// cut off goes into a few digits, so that two names stay two.
func ShortName(name string, limit int) string {
	if len(name) <= limit {
		return name
	}
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(name)))[:8]
	return strings.TrimRight(name[:limit-len(sum)-1], "-") + "-" + sum
}
