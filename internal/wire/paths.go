package wire

// Where things are on a node. The controller's bootstrap and the agent agree
// on them.
const (
	// AgentLib holds one directory per agent version, and the link "current".
	AgentLib = "/usr/local/lib/icm-agent"
	// AgentHome holds the task journal, fetched kits and the fence; mode 0700.
	AgentHome = "/var/lib/icm-agent"
	// AgentKits holds unpacked kits; others than root must be able to read it.
	AgentKits = "/var/lib/icm-agent-kits"
	// AgentSettings holds what the units of instances read at start.
	AgentSettings = "/etc/icm-agent"
	// AgentSocket is where the agent listens; nothing listens on the network.
	AgentSocket = "/run/icm-agent/agent.sock"
	// AgentUnit is the agent's systemd service.
	AgentUnit = "icm-agent.service"
	// AgentWatch is the service that changes the agent, and changes it back.
	AgentWatch = "icm-agent-watch.service"
	// AgentGroup may connect to the socket, besides root.
	AgentGroup = "icm-agent"
)
