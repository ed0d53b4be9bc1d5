package terraform

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"icm/plugins/provider"
)

// Deployment is a request, understood.
type Deployment struct {
	provider.Request
	Name   string // Label-Tag
	Global Fields // of the defaults file
	Groups []*Group
	// Zones are those of the nodes, each once. Those that the network has
	// already come first, in their order there.
	Zones []string
}

// Group are the nodes that share a workspace: all of one role.
type Group struct {
	Name, Role string
	Nodes      []*Node
	Balancers  []*Balancer
}

// Node is one machine to make.
type Node struct {
	Machine, Role, Zone string
	Definition          int
	Fields              Fields
	OS                  Volume
	Volumes             []Volume
}

// Volume is a block device of a node.
type Volume struct {
	Purpose string // "data", "wij", "journal1", "journal2", "docker"; "os"
	Place   int    // 0 for docker, 1 for data, … whichever of them the node has
	Device  string // what the user calls it, or the guide's name for it
	Size    int    // GiB
	Type    string
	IOPS    int
}

// purposes are the volumes of a node, in the guide's order of device names,
// with the beginnings of their fields' names.
var purposes = []struct{ purpose, field string }{
	{"docker", "Docker"}, {"data", "Data"}, {"wij", "WIJ"}, {"journal1", "Journal1"}, {"journal2", "Journal2"},
}

// noDevice is the word for a plain directory instead of a volume.
const noDevice = "null"

// irisRoles have instances, and so the volumes for them.
var irisRoles = []string{"DM", "AM", "DS", "QS"}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$`)

// understand reads a request.
func understand(req provider.Request, about About) (*Deployment, []provider.Problem) {
	d := &Deployment{Request: req, Name: req.Label + "-" + req.Tag, Global: req.Defaults}
	var problems []provider.Problem
	byName := map[string]*Group{}
	seen := map[string]bool{}
	for _, def := range req.Definitions {
		g := byName[def.Name]
		if g == nil {
			g = &Group{Name: def.Name, Role: def.Role}
			byName[def.Name] = g
			d.Groups = append(d.Groups, g)
		}
		if !nameForm.MatchString(def.Name) {
			problems = append(problems, provider.Problem{Definition: def.Index, Text: fmt.Sprintf("%q cannot be the name of a definition", def.Name)})
		}
		for _, w := range def.Nodes {
			n := &Node{Machine: w.MachineName, Role: def.Role, Zone: w.Zone, Definition: def.Index, Fields: w.Fields}
			if !nameForm.MatchString(n.Machine) || seen[n.Machine] {
				problems = append(problems, provider.Problem{Definition: def.Index, Text: fmt.Sprintf("%q cannot be the name of a machine, or names two", n.Machine)})
			}
			seen[n.Machine] = true
			readVolumes(n, d.Global, about)
			g.Nodes = append(g.Nodes, n)
			if n.Zone != "" && !slices.Contains(d.Zones, n.Zone) {
				d.Zones = append(d.Zones, n.Zone)
			}
		}
		if about.LoadBalancers {
			b, bad := readBalancer(req, def)
			problems = append(problems, bad...)
			if b != nil {
				g.Balancers = append(g.Balancers, b)
			}
		}
	}
	problems = append(problems, checkNumbers(d)...)
	d.sortZones()
	return d, problems
}

// sortZones puts the zones in the order of the defaults file.
func (d *Deployment) sortZones() {
	place := map[string]int{}
	for i, zone := range d.Global.List("Zone") {
		place[zone] = i + 1
	}
	slices.SortStableFunc(d.Zones, func(a, b string) int { return cmp.Compare(place[a], place[b]) })
}

// keepZones lets zones of an existing network keep their numbers.
func (d *Deployment) keepZones(had []string) {
	zones := slices.Clone(had)
	for _, zone := range d.Zones {
		if !slices.Contains(zones, zone) {
			zones = append(zones, zone)
		}
	}
	d.Zones = zones
}

// readVolumes finds the volumes that a node is to have.
func readVolumes(n *Node, global Fields, about About) {
	n.OS = n.volume("os", "OS")
	for place, p := range purposes {
		if p.purpose == "docker" && !n.hasDocker(global) || p.purpose != "docker" && !slices.Contains(irisRoles, n.Role) {
			continue
		}
		v := n.volume(p.purpose, p.field)
		v.Place, v.Device = place, n.Fields.Get(p.field+"DeviceName")
		if strings.EqualFold(v.Device, noDevice) {
			continue
		}
		if v.Device == "" {
			v.Device = about.Devices[p.purpose]
		}
		n.Volumes = append(n.Volumes, v)
	}
}

// hasDocker reports whether Docker runs on the node with a device of its own.
func (n *Node) hasDocker(global Fields) bool {
	if global.Bool("Containerless") || n.Fields.Bool("Containerless") || n.Role == "VM" {
		return false
	}
	return !strings.EqualFold(n.Fields.Get("DockerStorageDriver"), "overlay2") || n.Fields.Get("DockerDeviceName") != ""
}

func (n *Node) volume(purpose, field string) Volume {
	return Volume{
		Purpose: purpose, Size: n.Fields.Int(field + "VolumeSize"),
		Type: n.Fields.Get(field + "VolumeType"), IOPS: n.Fields.Int(field + "VolumeIOPS"),
	}
}

// defaultGB are the guide's sizes, for a request without ICM's defaults.
const (
	defaultGB   = 10
	defaultOSGB = 32
)

// checkNumbers looks at sizes, and puts in those that are missing.
func checkNumbers(d *Deployment) []provider.Problem {
	var out []provider.Problem
	for _, g := range d.Groups {
		for _, n := range g.Nodes {
			if n.OS.Size == 0 {
				n.OS.Size = defaultOSGB
			}
			for i := range n.Volumes {
				v := &n.Volumes[i]
				if v.Size == 0 {
					v.Size = defaultGB
				}
				if v.Size < 0 || v.Size > 64<<10 {
					out = append(out, provider.Problem{Definition: n.Definition, Field: purposes[v.Place].field + "VolumeSize", Text: fmt.Sprintf("%d is no size in GB", v.Size)})
				}
			}
		}
	}
	return out
}

// node finds a node by its machine name, and the group it is in.
func (d *Deployment) node(machine string) (*Node, *Group) {
	for _, g := range d.Groups {
		for _, n := range g.Nodes {
			if n.Machine == machine {
				return n, g
			}
		}
	}
	return nil, nil
}

// Tags mark everything that is made for the deployment.
func (d *Deployment) Tags() map[string]string {
	return map[string]string{"icm-deployment": d.Deployment, "icm-name": d.Name}
}

// Roles are the roles of the nodes, each once.
func (d *Deployment) Roles() []string {
	var out []string
	for _, g := range d.Groups {
		if !slices.Contains(out, g.Role) {
			out = append(out, g.Role)
		}
	}
	return out
}
