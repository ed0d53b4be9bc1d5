package deploy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"icm/controller/remote"
	"icm/controller/spec"
	"icm/controller/state"
	"icm/controller/topology"
	"icm/internal/hint"
	"icm/internal/licensekey"
	"icm/internal/wire"
)

// site is everything an operation works with, put together from the input
// files and the instances file.
type site struct {
	plans
	provisioned
	verb Verb
	// settings of every node that runs an instance, selected or not.
	settings map[string]settings
	// licenses are the key files' contents by node.
	licenses map[string][]byte
	// kits are those that the controller brings, by sha256.
	kits map[string]ownKit
	tls  *tlsKeys // nil without TLSKeyDir
}

// site reads everything and checks that it belongs together.
func (j *Job) site(verb Verb) (*site, error) {
	in, err := j.read()
	if err != nil {
		return nil, err
	}
	if verb.needsKit() && !in.spec.Global.Bool("Containerless") {
		return nil, refuse("kits are for containerless mode", `add "Containerless": "True" to `+j.short(j.Files.Defaults))
	}
	if problems := in.topo.InstallProblems(); verb == VerbInstall && len(problems) > 0 {
		return nil, &InputError{problems}
	}
	p, err := j.instances()
	if err != nil {
		return nil, err
	}
	s := &site{plans: in, provisioned: p, verb: verb, settings: map[string]settings{}, licenses: map[string][]byte{}, kits: map[string]ownKit{}}
	public, err := remote.LoadPublicKey(j.path(in.spec.Global.Get("SSHPublicKey")))
	if err != nil {
		return nil, err
	}
	if verb == VerbInstall || verb == VerbUpgrade {
		if s.tls, err = j.tlsKeys(in.spec.Global); err != nil {
			return nil, err
		}
	}
	recorded := map[string]state.Instance{}
	for _, n := range p.all {
		recorded[n.MachineName] = n
	}
	for _, n := range in.topo.Nodes {
		inst, ok := recorded[n.MachineName]
		if !ok {
			if j.selects(n) {
				return nil, refuse(fmt.Sprintf("node %s stands in %s and was never provisioned", n.MachineName, j.short(j.Files.Definitions)),
					fmt.Sprintf("icm provision -stateDir %s makes it", j.short(p.dir.Path)))
			}
			continue
		}
		if err := j.addNode(s, n, inst, public, verb); err != nil {
			return nil, &NodeError{n.MachineName, err}
		}
	}
	return s, j.unknownNodes(s)
}

func (j *Job) selects(n topology.Node) bool {
	match, err := j.Select.matcher()
	return err == nil && match(n.MachineName, n.Role)
}

// unknownNodes refuses nodes that exist and that the definitions file does not
// know: nobody can say what they should be.
func (j *Job) unknownNodes(s *site) error {
	for _, n := range s.real() {
		if _, ok := s.topo.Node(n.MachineName); !ok {
			return refuse(fmt.Sprintf("node %s is provisioned and does not stand in %s", n.MachineName, j.short(j.Files.Definitions)),
				"put it back, or choose other nodes with -role or -machine")
		}
	}
	return nil
}

func (j *Job) addNode(s *site, n topology.Node, inst state.Instance, public string, verb Verb) error {
	facts := nodeFacts{
		machine: n.MachineName, role: n.Role, address: inst.IPAddress, peer: inst.Field(privateAddressField), label: s.spec.Label, tag: s.spec.Tag,
		devices: devicesOf(inst), publicKey: public, wipe: j.Wipe,
		licenseServers: licenseServers(s, n), hasPassword: !strings.EqualFold(n.Fields.Get("InitialSecurity"), "Minimal"),
	}
	if facts.address == "" {
		facts.address = inst.DNSName
	}
	if n.HasInstance() && verb == VerbInstall {
		key, err := j.license(n.Fields)
		if err != nil {
			return err
		}
		if key != nil {
			s.licenses[n.MachineName] = key
			sum := sha256.Sum256(key)
			facts.licenseSHA = hex.EncodeToString(sum[:])
		}
	}
	set, err := settingsOf(kitFields(n), facts, verb.needsKit() && installs(n) && j.Bundle == "")
	if err != nil {
		return err
	}
	set.has = recordedPorts(inst)
	set.mirrorSettings(n, s.tls)
	if err := j.userCPF(n.Fields, set.cpf); err != nil {
		return err
	}
	if n.Role == "DM" {
		set.serves(joining(s.topo))
	}
	s.settings[n.MachineName] = set
	return nil
}

// license reads the key of a node; nil when it has none.
func (j *Job) license(f spec.Fields) ([]byte, error) {
	name := f.Get("LicenseKey")
	if name == "" {
		return nil, nil
	}
	path := j.path(filepath.Join(f.Get("LicenseDir"), name))
	key, err := os.ReadFile(path)
	if err != nil {
		return nil, hint.New(fmt.Errorf("cannot read the licence key: %v", rootCause(err)), "LicenseKey is looked for in LicenseDir, "+f.Get("LicenseDir"))
	}
	if err := licensekey.Usable(string(key), j.World.Now()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// licenseServers are the lines of [LicenseServers]: the data servers, when
// somebody has a licence to serve.
func licenseServers(s *site, n topology.Node) map[string]string {
	if n.Fields.Get("LicenseKey") == "" || !n.HasInstance() {
		return nil
	}
	out := map[string]string{}
	for _, server := range s.topo.LicenseServers() {
		for _, inst := range s.all {
			if inst.MachineName == server.MachineName {
				out[ecpName(server.MachineName)] = orElse(inst.Field(privateAddressField), inst.IPAddress) + "," + server.Fields.Get("LicenseServerPort")
			}
		}
	}
	return out
}

// cluster arranges the nodes for the recipes, with what was said of them.
func (s *site) cluster(facts map[string]wire.Facts) (cluster, error) {
	c := cluster{topo: s.topo, all: map[string]member{}}
	selected := map[string]bool{}
	for _, inst := range s.real() {
		selected[inst.MachineName] = true
	}
	for _, n := range s.topo.Nodes {
		set, known := s.settings[n.MachineName]
		if !known {
			continue // not provisioned
		}
		m := member{settings: set, node: n, now: says(facts[n.MachineName], set.Instance.Name)}
		m.mirrored = s.recorded(n.MachineName, mirrorField) != ""
		c.all[n.MachineName] = m
		if !selected[n.MachineName] {
			continue
		}
		if err := deliverable(n); err != nil {
			return c, err
		}
		if installs(n) {
			c.selected = append(c.selected, m)
		}
	}
	return c, nil
}

// recorded is a field of the instances file.
func (s *site) recorded(machine, field string) string {
	if n := state.FindInstance(s.all, machine); n != nil {
		return n.Field(field)
	}
	return ""
}

// deliverable refuses what this icm does not install yet, before anything is
// touched.
func deliverable(n topology.Node) error {
	switch {
	case n.Fields.Bool("Nonroot"):
		return refuse("this icm does not install without root yet", `remove "Nonroot"`)
	default:
		return nil
	}
}
