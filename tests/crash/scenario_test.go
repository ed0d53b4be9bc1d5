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

// scenario is one command in the state that others left. To cover one more
// command, add a row to life or to scenarios, and its verb to do in
// controller_test.go.
type scenario struct {
	Name string
	Verb string
	Base string // scenario whose end is the beginning, "" for bare nodes
	// Prelude are steps before, which nothing disturbs: see site.step.
	Prelude []string
	// During is an operation that is halted at its moment duringMoment while
	// the command is given, goes on afterwards, and may end as it likes.
	During string
	After  []string // commands given when the command has succeeded
	Kit    string
	Data   bool // data is written at the end, for those who begin there
	// Again says that a node that boots undoes it by design, so that it has to
	// be given again after a power cut: instances start with their node.
	Again bool
	// Takeover adds points at which another controller takes over.
	Takeover bool
	// Here says that the command works on the controller's machine alone: only
	// there are points.
	Here bool
}

// duringMoment is when an operation that is halted has begun to work.
const duringMoment = 45

func scenarios() []scenario {
	all := []scenario{{Name: "provision", Verb: "provision", Kit: merge.old}}
	all = append(all, life("", merge)...)
	all = append(all, life("-classic", classic)...)
	return append(all,
		scenario{Name: "unlock", Verb: "unlock", Base: "provision", Prelude: []string{"install@45"}, After: []string{"install"}, Kit: merge.old, Here: true},
		scenario{Name: "inventory", Verb: "inventory", Base: "install", Prelude: []string{"misplace"}, Kit: merge.old, Here: true},
		scenario{Name: "recover", Verb: "recover", Base: "install", Prelude: []string{"lose"}, After: []string{"install"}, Kit: merge.old, Here: true})
}

// life is what happens to instances of an era.
func life(suffix string, e era) []scenario {
	name := func(s string) string { return s + suffix }
	install := name("install")
	return []scenario{
		{Name: install, Verb: "install", Base: "provision", Kit: e.old, Data: true},
		{Name: name("upgrade"), Verb: "upgrade", Base: install, Kit: e.next, Takeover: true},
		{Name: name("stop"), Verb: "stop", Base: install, Kit: e.old, Again: true, Takeover: true},
		{Name: name("start"), Verb: "start", Base: install, Prelude: []string{"stop"}, Kit: e.old},
		{Name: name("uninstall"), Verb: "uninstall", Base: install, Kit: e.old},
		{Name: name("unprovision"), Verb: "unprovision", Base: name("uninstall"), Kit: e.old},
		{Name: name("undo-stop"), Verb: "undo", Base: install, Prelude: []string{"stop"}, Kit: e.old},
		{Name: name("undo-install"), Verb: "undo", Base: "provision", Prelude: []string{"install"}, Kit: e.old},
		{Name: name("resume"), Verb: "resume", Base: "provision", Prelude: []string{"install@45"}, Kit: e.old},
		{Name: name("hold"), Verb: "hold", Base: install, During: "upgrade", After: []string{"resume"}, Kit: e.next, Here: true},
	}
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
	// counting the moments of its work, "change:N:CALL@FILE" or
	// "torn:N:CALL@FILE", N counting the changes of that name; "halt:N" for a
	// takeover.
	Fault string
	// Power cuts the power of the machine instead of killing a process.
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
	f := strings.SplitN(s, "/", 3)
	if len(f) != 3 {
		return point{}, fmt.Errorf("%q is no point: SCENARIO/TARGET/FAULT, such as install/dm/before:17", s)
	}
	p := point{Scenario: f[0], Target: f[1]}
	p.Fault, p.Power = strings.CutPrefix(f[2], "power-")
	return p, nil
}
