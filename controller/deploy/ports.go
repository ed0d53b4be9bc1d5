package deploy

import (
	"strconv"
	"strings"

	"icm/controller/state"
	"icm/internal/wire"
)

// ports are those an instance has, 0 where nobody knows. They are what the kit
// gave it that it was first installed from: an upgrade keeps them, so the kit
// of today does not tell.
type ports struct{ super, web int }

// Fields of the instances file in which the ports are recorded, so that a
// command for application servers alone knows their data server's.
const (
	superServerField = "SuperServerPort"
	webServerField   = "WebServerPort"
)

func recordedPorts(n state.Instance) ports {
	return ports{number(n.Field(superServerField)), number(n.Field(webServerField))}
}

// number is the number that a text begins with: newer kits list several ports.
func number(s string) int {
	s, _, _ = strings.Cut(strings.TrimSpace(s), ",")
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// adopt takes the ports of the instances that are there from what the nodes
// say. A node without an instance will have those of its kit.
func (s *site) adopt(facts map[string]wire.Facts) {
	for name, f := range facts {
		set := s.settings[name]
		set.has = ports{}
		for _, in := range f.Instances {
			if strings.EqualFold(in.Name, set.Instance.Name) {
				set.has = ports{number(in.SuperServer), number(in.WebServer)}
			}
		}
		s.settings[name] = set
	}
}

// recordPorts keeps the ports of a node's instance in the instances file. Those
// that a field gives are there already.
func recordPorts(n *state.Instance, set settings, verb Verb) {
	have := ports{}
	if verb != VerbUninstall {
		have = set.has
		if have.super == 0 && verb.needsKit() {
			have = ports{set.superServer(), set.webServer()}
		}
	}
	for name, port := range map[string]struct{ given, have int }{
		superServerField: {set.superServerPort, have.super}, webServerField: {set.webServerPort, have.web},
	} {
		switch {
		case port.given != 0:
		case port.have != 0:
			n.SetField(name, strconv.Itoa(port.have))
		case n.Field(name) != "":
			n.SetField(name, "")
		}
	}
}
