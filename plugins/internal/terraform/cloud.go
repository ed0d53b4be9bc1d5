package terraform

import (
	"io/fs"

	"icm/plugins/provider"
)

// Cloud is what one cloud adds. Its methods are pure, except for Environment,
// which may read credentials.
type Cloud interface {
	// About says what the cloud is.
	About() About
	// Templates has the directories "network" and "nodes".
	Templates() fs.FS
	// Check finds what is wrong with the fields.
	Check(d *Deployment) []provider.Problem
	// Environment is what terraform's provider needs to log in, added to the
	// child's environment. outside gives variables of the plugin's own.
	Environment(d *Deployment, outside func(string) string) (map[string]string, error)
	// Network are the variables of the network's template.
	Network(d *Deployment) Vars
	// Shared are variables of the nodes' template that all nodes share.
	Shared(d *Deployment) Vars
	// Node are the variables of one node.
	Node(d *Deployment, n *Node) Vars
	// Balancer are the variables of one load balancer.
	Balancer(d *Deployment, b *Balancer) Vars
	// Device is the stable path of a volume on its node; raw is what the
	// template's output says of it.
	Device(n *Node, v Volume, raw string) string
}

// About describes a cloud.
type About struct {
	Name          string            // "AWS"
	LoadBalancers bool              // whether the template makes them
	Devices       map[string]string // the guide's device names, by purpose
	// Machines and Disks are the types of resources that hold data.
	Machines, Disks []string
	// Placeholder stands for the network's output in a plan that is made
	// before there is a network.
	Placeholder func(d *Deployment) any
}

// Vars are variables of a template. Values are what encoding/json takes.
type Vars map[string]any
