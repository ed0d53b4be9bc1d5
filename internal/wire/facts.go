package wire

import "time"

// FactsRequest asks for facts.
type FactsRequest struct{}

// Facts is what an agent found out about its node without changing it.
type Facts struct {
	Build      string    `msgpack:"build" json:"build"`           // of the agent
	Deployment string    `msgpack:"deployment" json:"deployment"` // "" when the node belongs to none
	NodeID     string    `msgpack:"node_id" json:"node_id"`       // /etc/machine-id
	Hostname   string    `msgpack:"hostname" json:"hostname"`
	OS         OSRelease `msgpack:"os" json:"os"`
	Kernel     string    `msgpack:"kernel" json:"kernel"`
	Arch       string    `msgpack:"arch" json:"arch"` // GOARCH: "amd64", "arm64"
	CPUs       int       `msgpack:"cpus" json:"cpus"`
	Memory     int64     `msgpack:"memory" json:"memory"` // bytes
	Time       time.Time `msgpack:"time" json:"time"`
	BootID     string    `msgpack:"boot_id" json:"boot_id"`
	Addresses  []string  `msgpack:"addresses" json:"addresses"`
	// Platform is what the kits call this system, such as "lnxrh8x64"; "" when unknown.
	Platforms []string   `msgpack:"platforms" json:"platforms"`
	Instances []Instance `msgpack:"instances" json:"instances"`
	// Busy is the id of the change that is running, or "".
	Busy string `msgpack:"busy,omitempty" json:"busy,omitempty"`
	// Membership is what the node was told of its deployment, nil when nothing.
	Membership *Membership `msgpack:"membership,omitempty" json:"membership,omitempty"`
}

// OSRelease is what /etc/os-release says.
type OSRelease struct {
	ID      string   `msgpack:"id" json:"id"`
	Like    []string `msgpack:"like,omitempty" json:"like,omitempty"`
	Version string   `msgpack:"version" json:"version"`
	Name    string   `msgpack:"name" json:"name"` // PRETTY_NAME
}

// CheckRequest says what an operation is going to need of a node. A zero
// field is not checked.
type CheckRequest struct {
	Now      time.Time   `msgpack:"now,omitempty"`   // the controller's clock
	Ports    []PortNeed  `msgpack:"ports,omitempty"` // must be free, or held by our own instance
	Space    []SpaceNeed `msgpack:"space,omitempty"`
	Memory   int64       `msgpack:"memory,omitempty"` // bytes, total
	KitName  string      `msgpack:"kit_name,omitempty"`
	KitURL   string      `msgpack:"kit_url,omitempty"`
	Commands []string    `msgpack:"commands,omitempty"` // programs that must be found
	Reach    []string    `msgpack:"reach,omitempty"`    // "host:port" that must accept a connection
	Instance string      `msgpack:"instance,omitempty"` // whose ports are our own
	// InstallDir is where the kit is going to be installed, "" for nowhere.
	InstallDir string `msgpack:"install_dir,omitempty"`
	// KitLogin says that KitURL asks for credentials, which do not come along.
	KitLogin bool `msgpack:"kit_login,omitempty"`
	// AgentPort is where an ISCAgent is going to listen: free, or held by one.
	AgentPort int `msgpack:"agent_port,omitempty"`
	// Apache says that a web server must be there for the Web Gateway.
	Apache bool `msgpack:"apache,omitempty"`
	// KitSize, in bytes, and KitSHA256 are of a kit that the controller brings.
	KitSize   int64  `msgpack:"kit_size,omitempty"`
	KitSHA256 string `msgpack:"kit_sha256,omitempty"`
}

// PortNeed is a TCP port that something of ours will listen on.
type PortNeed struct {
	Port int    `msgpack:"port"`
	For  string `msgpack:"for"` // "superserver", …
}

// SpaceNeed is free space that an operation needs.
type SpaceNeed struct {
	Path  string `msgpack:"path"` // need not exist; its nearest parent counts
	Bytes int64  `msgpack:"bytes"`
	For   string `msgpack:"for"`
}

// CheckReply lists what was found.
type CheckReply struct {
	Findings []Finding `msgpack:"findings"`
}

// Finding is the result of one check.
type Finding struct {
	Check  string `msgpack:"check" json:"check"`   // "clock", "port", "space", …
	Result string `msgpack:"result" json:"result"` // "pass", "warn", "fail"
	Text   string `msgpack:"text" json:"text"`
	Hint   string `msgpack:"hint,omitempty" json:"hint,omitempty"`
}
