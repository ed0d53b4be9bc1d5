package wire

// SurveyRequest asks how the instances on a node were set up.
type SurveyRequest struct{}

// SurveyReply has one entry for each instance on the node.
type SurveyReply struct {
	Instances []Surveyed `msgpack:"instances"`
}

// Surveyed is an instance and how it was set up, read without changing
// anything. What the installation does not tell is empty. It holds no secrets.
type Surveyed struct {
	Instance   Instance `msgpack:"instance"`
	Owner      string   `msgpack:"owner"`       // account that owns the instance
	OwnerGroup string   `msgpack:"owner_group"` // whose members may start and stop it
	User       string   `msgpack:"user"`        // account of the server processes
	Group      string   `msgpack:"group"`       // of processes and files
	Security   string   `msgpack:"security"`    // "Minimal", "Normal", "LockedDown"
	Platform   string   `msgpack:"platform"`    // of the kit, such as "lnxrh8x64"
	// Settings are the lines of iris.cpf that fields of icm stand for:
	// "config.wijdir" to its value.
	Settings map[string]string `msgpack:"settings,omitempty"`
	// DataServers are the hosts, "host:port", that the instance is an
	// application server of.
	DataServers []string `msgpack:"data_servers,omitempty"`
	// Databases are the directories of the databases on this machine, by
	// namespace.
	Databases map[string]string `msgpack:"databases,omitempty"`
}
