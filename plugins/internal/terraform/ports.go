package terraform

import (
	"slices"
	"strconv"
	"strings"

	"icm/internal/kitname"
)

// Port is what is open on the nodes of a group.
type Port struct {
	Protocol string   `json:"protocol"` // "tcp" or "udp"
	From     int      `json:"from"`
	To       int      `json:"to"`
	Source   []string `json:"source"` // networks; none means the other nodes
}

// AllNodes is the group that every node is in.
const AllNodes = "all"

// Ports are the open ports of each group of nodes, by name: those of all nodes,
// and those of each role.
func (d *Deployment) Ports() map[string]map[string]Port {
	p := ports{out: map[string]map[string]Port{AllNodes: {}}, from: d.Global.List("AllowedNetworks")}
	if len(p.from) == 0 {
		p.from = []string{"0.0.0.0/0"}
	}
	p.open(AllNodes, "ssh", "tcp", 22)
	containers := !d.Global.Bool("Containerless")
	weave := containers && !strings.EqualFold(d.Global.Get("Overlay"), "host")
	if weave {
		p.between(AllNodes, "weave", "tcp", 6783, 6783)
		p.between(AllNodes, "weave-data", "udp", 6783, 6784)
	}
	for _, g := range d.Groups {
		p.out[g.Role] = map[string]Port{}
		for _, n := range g.Nodes {
			p.role(n, d.Global, containers, weave)
		}
		for _, b := range g.Balancers {
			p.open(g.Role, "balanced", "tcp", b.Port)
			if b.HealthPort != b.Port {
				p.open(g.Role, "health", "tcp", b.HealthPort)
			}
		}
	}
	return p.out
}

// ports collects them; from are the networks that may come in from outside.
type ports struct {
	out  map[string]map[string]Port
	from []string
}

// open opens a port to the outside, once: clouds refuse a rule that is there.
func (p ports) open(group, name, protocol string, port int) {
	for _, have := range p.out[group] {
		if have.Protocol == protocol && have.From == port && len(have.Source) > 0 {
			return
		}
	}
	p.out[group][name] = Port{protocol, port, port, p.from}
}

func (p ports) between(group, name, protocol string, from, to int) {
	p.out[group][name] = Port{protocol, from, to, []string{}}
}

// role opens what the services on a node are for.
func (p ports) role(n *Node, global Fields, containers, weave bool) {
	f := n.Fields
	if containers && n.Role != "VM" {
		p.open(n.Role, "docker", "tcp", 2376)
		if strings.EqualFold(global.Get("Monitor"), "scope") && weave {
			p.open(n.Role, "scope", "tcp", 4040)
		}
	}
	mirrored := f.Bool("Mirror") || global.Bool("Mirror")
	if mirrored && (n.Role == "DM" || n.Role == "DS") || n.Role == "AR" {
		agent := portOf(f, "ISCAgentPort", 2188)
		p.between(n.Role, "iscagent", "tcp", agent, agent)
	}
	if n.Role == "WS" {
		p.open(n.Role, "http", "tcp", 80)
	}
	if !slices.Contains(irisRoles, n.Role) {
		return
	}
	super := instancePorts(f)
	for i, port := range super {
		p.open(n.Role, numbered("superserver", i), "tcp", port)
	}
	for i, port := range webPorts(f) {
		p.open(n.Role, numbered("portal", i), "tcp", port)
	}
	licence := portOf(f, "LicenseServerPort", 4002)
	p.between(n.Role, "licence", "udp", licence, licence)
	p.between(n.Role, "licence-tcp", "tcp", licence, licence)
	if f.Bool("Spark") && containers {
		for _, spark := range []struct {
			field string
			usual int
		}{
			{"SparkMasterPort", 7077}, {"SparkWorkerPort", 7000}, {"SparkMasterWebUIPort", 8080}, {"SparkWorkerWebUIPort", 8081},
			{"SparkRESTPort", 6066}, {"SparkDriverPort", 7001}, {"SparkBlockManagerPort", 7005},
		} {
			port := portOf(f, spark.field, spark.usual)
			p.between(n.Role, strings.ToLower(strings.TrimSuffix(spark.field, "Port")), "tcp", port, port)
		}
	}
}

func numbered(name string, i int) string {
	if i == 0 {
		return name
	}
	return name + "-" + strconv.Itoa(i+1)
}

func portOf(f Fields, field string, usual int) int {
	if n := f.Int(field); n > 0 && n < 1<<16 {
		return n
	}
	return usual
}

// instancePorts are the superserver's: the field's, or the kit's, or, where
// nobody has said, those of both eras of the product.
func instancePorts(f Fields) []int {
	if n := f.Int("SuperServerPort"); n > 0 {
		return []int{n}
	}
	if k, err := kitname.ParseURL(f.Get("KitURL")); err == nil {
		return []int{k.SuperServerPort()}
	}
	return []int{1972, 51773}
}

// webPorts are those of the private web server, which newer kits do not have.
func webPorts(f Fields) []int {
	if n := f.Int("WebServerPort"); n > 0 {
		return []int{n}
	}
	if k, err := kitname.ParseURL(f.Get("KitURL")); err == nil && k.WebServerPort() == 0 {
		return nil
	}
	return []int{52773}
}
