package deploy

import (
	"path/filepath"
	"strconv"
	"strings"

	"icm/controller/state"
	"icm/controller/topology"
	"icm/internal/hint"
	"icm/plugins/provider"
)

// deviceIDField is where the identity of a volume that the provider gave is
// recorded: "DataDeviceID".
func deviceIDField(field string) string { return field + "DeviceID" }

// privateAddressField is where the address is recorded that a provider gave
// for the traffic between nodes, where that is another than IPAddress.
const privateAddressField = "PrivateIPAddress"

// devicesOf are the identities of a node's volumes, by purpose.
func devicesOf(n state.Instance) map[string]string {
	out := map[string]string{}
	for _, v := range volumePurposes {
		if id := n.Field(deviceIDField(v.field)); id != "" {
			out[v.purpose] = id
		}
	}
	return out
}

// definitionOf is the name of a node's entry, which is the directory above its
// own.
func definitionOf(n state.Instance) string { return filepath.Base(filepath.Dir(n.StateDir)) }

// saveInstances records the nodes that the provider has, with everything that
// is known of each. What an existing file says besides is kept.
func (j *Job) saveInstances(in plans, dir *state.Dir, nodes []provider.Node) error {
	old, _ := state.LoadInstances(j.Files.Instances) // a first provision has none; a damaged one is made anew
	var out []state.Instance
	for _, want := range in.topo.Nodes {
		for _, have := range nodes {
			if have.MachineName == want.MachineName {
				out = append(out, j.instance(in, dir, want, have, old))
			}
		}
	}
	for _, have := range nodes {
		if have.Virtual != "" {
			out = append(out, balancer(in, dir, have))
		}
	}
	if err := state.SaveInstances(j.Files.Instances, out); err != nil {
		return hint.New(err, "the nodes exist; make room or choose another place with -instances, then run icm provision -stateDir "+j.short(dir.Path))
	}
	return nil
}

// balancer is the row of a load balancer, whose number is the index of its
// nodes' definition.
func balancer(in plans, dir *state.Dir, have provider.Node) state.Instance {
	n := state.Instance{
		MachineName: have.MachineName, Role: "LB", IPAddress: "(" + have.Virtual + ")", DNSName: have.DNSName,
		StateDir: filepath.Join(dir.Path, in.spec.Label+"-LB-"+in.spec.Tag, have.MachineName),
		Fields:   map[string]string{"TargetRole": strings.TrimPrefix(have.Virtual, "virtual ")},
	}
	if index, err := strconv.Atoi(have.MachineName[strings.LastIndex(have.MachineName, "-")+1:]); err == nil {
		n.SetField("DefinitionIndex", strconv.Itoa(index))
	}
	return n
}

func (j *Job) instance(in plans, dir *state.Dir, want topology.Node, have provider.Node, old []state.Instance) state.Instance {
	n := state.Instance{MachineName: want.MachineName}
	if was := state.FindInstance(old, want.MachineName); was != nil {
		n = *was
	}
	n.Role, n.IPAddress, n.DNSName = want.Role, have.IPAddress, have.DNSName
	n.StateDir = filepath.Join(dir.Path, want.Definition, want.MachineName)
	for name, value := range want.Fields.Map(false) {
		if name != "IPAddress" && name != "DNSName" {
			n.SetField(name, value)
		}
	}
	n.SetField("DefinitionIndex", strconv.Itoa(want.Index))
	n.SetField("InstanceCount", strconv.Itoa(len(in.topo.Nodes)))
	if want.Zone != "" {
		n.SetField("Zone", want.Zone)
	}
	if have.User != "" {
		n.SetField("SSHUser", have.User)
	}
	if have.Port != 0 {
		n.SetField("SSHPort", strconv.Itoa(have.Port))
	}
	for _, v := range volumePurposes {
		if id := have.Volumes[v.purpose]; id != "" {
			n.SetField(deviceIDField(v.field), id)
		}
	}
	for name, value := range have.Extra {
		n.SetField(name, value)
	}
	return n
}

// recordFields writes the fields that an operation worked with into the
// instances file, such as a new KitURL, so that later commands know them.
func (j *Job) recordFields(s *site) error {
	for i := range s.all {
		n := &s.all[i]
		want, ok := s.topo.Node(n.MachineName)
		if !ok || !j.selects(want) {
			continue
		}
		for name, value := range kitFields(want).Map(false) {
			switch name {
			case "IPAddress", "DNSName", "SSHUser", "SSHPort", "Zone":
			default:
				n.SetField(name, value)
			}
		}
		recordMirror(n, want, s.verb)
		if want.HasInstance() {
			recordPorts(n, s.settings[n.MachineName], s.verb)
		}
	}
	return state.SaveInstances(j.Files.Instances, s.all)
}

// Fields in which the instances file records that a node is in a mirror, and as
// what it began there. They are written when it is so.
const (
	mirrorField = "MirrorSetName"
	memberField = "Member"
)

func recordMirror(n *state.Instance, want topology.Node, verb Verb) {
	switch {
	case verb == VerbInstall && want.Mirror != "":
		n.SetField(mirrorField, want.Mirror)
		n.SetField(memberField, string(want.Member))
	case verb == VerbUninstall && n.Field(mirrorField) != "":
		n.SetField(mirrorField, "")
		n.SetField(memberField, "")
	}
}
