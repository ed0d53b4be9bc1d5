package crash

import (
	"fmt"
	"strings"
)

// machines are the nodes of a site by their short names.
var machines = []struct{ short, name string }{{"dm", "ACME-DM-CRASH-0001"}, {"am", "ACME-AM-CRASH-0001"}}

// definitions give both nodes ports of their own, because they share a network
// namespace.
const definitions = `[
  {"Role": "DM", "SuperServerPort": "51773", "WebServerPort": "52773"},
  {"Role": "AM", "SuperServerPort": "51774", "WebServerPort": "52774"}
]`

const defaults = `{
  "Provider": "Lab", "Label": "ACME", "Tag": "CRASH", "Containerless": true,
  "SSHUser": "icm", "SSHPublicKey": "id.pub", "SSHPrivateKey": "id",
  "Namespace": "DB", "ISCglobals": "0,0,64,0,0,0", "SystemMode": "TEST",
  "DataDeviceName": "null", "WIJDeviceName": "null", "Journal1DeviceName": "null", "Journal2DeviceName": "null"
}`

const password = "canary-Pa55-word"

// era is a pair of kits: the one that is installed, and its successor.
type era struct{ old, next string }

var (
	merge   = era{"IRIS-2023.1.0.235.1-lnxubuntu2204x64", "IRIS-2023.1.1.380.0-lnxubuntu2204x64"}
	classic = era{"IRIS-2018.2.0.792.0-lnxrhx64", "IRIS-2018.2.1.417.0-lnxrhx64"}
)

// scenario is one command in the state that another one left.
type scenario struct {
	Name    string
	Verb    string
	Base    string   // scenario whose end is the beginning, "" for bare nodes
	Prelude []string // commands given before, undisturbed
	Kit     string
	Data    bool // data is written at the end, for those who begin there
	// Again says that a node that boots undoes it by design, so that it has to
	// be given again after a power cut: instances start with their node.
	Again bool
	// Takeover adds points at which another controller takes over.
	Takeover bool
}

func scenarios() []scenario {
	life := func(suffix string, e era) []scenario {
		name := func(s string) string { return s + suffix }
		return []scenario{
			{Name: name("install"), Verb: "install", Base: "provision", Kit: e.old, Data: true},
			{Name: name("upgrade"), Verb: "upgrade", Base: name("install"), Kit: e.next, Takeover: true},
		}
	}
	all := []scenario{{Name: "provision", Verb: "provision", Kit: merge.old}}
	all = append(all, life("", merge)...)
	all = append(all,
		scenario{Name: "stop", Verb: "stop", Base: "install", Kit: merge.old, Again: true, Takeover: true},
		scenario{Name: "start", Verb: "start", Base: "install", Prelude: []string{"stop"}, Kit: merge.old},
		scenario{Name: "uninstall", Verb: "uninstall", Base: "install", Kit: merge.old},
		scenario{Name: "unprovision", Verb: "unprovision", Base: "uninstall", Kit: merge.old})
	return append(all, life("-classic", classic)...)
}

func find(name string) (scenario, error) {
	for _, s := range scenarios() {
		if s.Name == name {
			return s, nil
		}
	}
	return scenario{}, fmt.Errorf("there is no scenario %q", name)
}

// point is where something is killed.
type point struct {
	Scenario string
	Target   string // "dm", "am", "controller", "takeover"
	// Fault is "before:N", "after:N" or "torn:N:BYTES", N counting the records
	// of the command on that node from 1; for the controller "kill:N", N
	// counting the moments of its work; "halt:N" for a takeover.
	Fault string
	// Power cuts the power of the node instead of killing its agent.
	Power bool
}

func (p point) String() string {
	fault := p.Fault
	if p.Power {
		fault = "power-" + fault
	}
	return p.Scenario + "/" + p.Target + "/" + fault
}

func parsePoint(s string) (point, error) {
	f := strings.Split(s, "/")
	if len(f) != 3 {
		return point{}, fmt.Errorf("%q is no point: SCENARIO/TARGET/FAULT, such as install/dm/before:17", s)
	}
	p := point{Scenario: f[0], Target: f[1]}
	p.Fault, p.Power = strings.CutPrefix(f[2], "power-")
	return p, nil
}
