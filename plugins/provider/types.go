package provider

// ProtocolVersion is the version of this contract, checked by the handshake.
const ProtocolVersion = 1

// Info describes a provider.
type Info struct {
	Name    string `msgpack:"name"`    // "Lab": the value of the Provider field
	Version string `msgpack:"version"` // of the plugin's build
	// MakesNodes is false for a provider whose nodes exist already.
	MakesNodes bool `msgpack:"makes_nodes"`
	// LoadBalancers says whether LoadBalancer works here.
	LoadBalancers bool `msgpack:"load_balancers"`
	// Devices are the default device names by purpose ("data" → "xvdc");
	// empty when the provider returns identities or the user must name them.
	Devices map[string]string `msgpack:"devices,omitempty"`
	// Note is shown by `icm provision` before anything happens, such as
	// "for evaluation and tests".
	Note string `msgpack:"note,omitempty"`
}

// Request is a deployment as a provider sees it.
type Request struct {
	Deployment  string       `msgpack:"deployment"` // "ICM-172807747058302123"
	Label       string       `msgpack:"label"`
	Tag         string       `msgpack:"tag"`
	StateDir    string       `msgpack:"state_dir"` // absolute; the provider may keep files in StateDir/<definition>
	Definitions []Definition `msgpack:"definitions"`
	// Defaults are the fields of the defaults file, merged with ICM's defaults.
	Defaults map[string]string `msgpack:"defaults"`
	// PublicKey is the authorized_keys line of SSHPublicKey.
	PublicKey string `msgpack:"public_key"`
}

// Definition is one entry of the definitions file.
type Definition struct {
	Name  string `msgpack:"name"` // "ACME-DM-TEST"; with several entries of one role they share it
	Index int    `msgpack:"index"`
	Role  string `msgpack:"role"`
	Nodes []Want `msgpack:"nodes"`
}

// Want is one node to make.
type Want struct {
	MachineName string `msgpack:"machine_name"`
	// Fields are the node's resolved fields: definitions over defaults over
	// ICM's own, with unknown ones included.
	Fields map[string]string `msgpack:"fields"`
	Zone   string            `msgpack:"zone,omitempty"`
}

// Result lists nodes.
type Result struct {
	Nodes []Node `msgpack:"nodes"`
}

// Node is a machine that exists and how to reach it.
type Node struct {
	MachineName string `msgpack:"machine_name"`
	IPAddress   string `msgpack:"ip_address"`
	DNSName     string `msgpack:"dns_name"`
	Port        int    `msgpack:"port,omitempty"` // of sshd; 0 is 22
	User        string `msgpack:"user,omitempty"` // overrides SSHUser
	// HostKeys are authorized_keys style lines of the node's SSH host keys,
	// when the platform tells them; then the first contact is verified.
	HostKeys []string `msgpack:"host_keys,omitempty"`
	// Interim says that HostKeys are for the first contact only: they lie in
	// files and with the platform, and icm replaces them over that contact.
	Interim bool `msgpack:"interim,omitempty"`
	// Volumes are stable identities by purpose ("data", "wij", "journal1",
	// "journal2", "docker"): a path under /dev. The user's *DeviceName wins.
	Volumes map[string]string `msgpack:"volumes,omitempty"`
	// Virtual marks a load balancer: it is listed, never connected to.
	Virtual string `msgpack:"virtual,omitempty"` // "virtual AM"
	// State is "running", "stopped", "unknown".
	State string `msgpack:"state"`
	// Extra fields for the instances file.
	Extra map[string]string `msgpack:"extra,omitempty"`
}

// Problem is what Validate found.
type Problem struct {
	// Definition is the index of the entry, -1 for the defaults file.
	Definition int    `msgpack:"definition"`
	Field      string `msgpack:"field"`
	Text       string `msgpack:"text"`
	Hint       string `msgpack:"hint,omitempty"`
	Warning    bool   `msgpack:"warning,omitempty"`
}

// Action is one thing that Provision would do.
type Action struct {
	Verb   string `msgpack:"verb" json:"verb"` // "make", "change", "destroy", "keep"
	What   string `msgpack:"what" json:"what"` // "node ACME-DM-TEST-0001"
	Detail string `msgpack:"detail,omitempty" json:"detail,omitempty"`
}

// Progress is one line for the operator, in ICM's form: Starting is true for
// "Starting apply of ACME-DM-TEST...", false for "...completed apply of
// ACME-DM-TEST".
type Progress struct {
	Starting bool   `msgpack:"starting"`
	What     string `msgpack:"what"`    // "init", "plan", "apply", "destroy", "boot"
	Subject  string `msgpack:"subject"` // "ACME-DM-TEST"
}
