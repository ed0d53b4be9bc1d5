package kind

// Reversibility says what undoing a task means.
type Reversibility string

// The three degrees.
const (
	// Reversible: undo restores what was there.
	Reversible Reversibility = "reversible"
	// Compensable: undo is another action, whose result is as good.
	Compensable Reversibility = "compensable"
	// OneWay: there is no way back.
	OneWay Reversibility = "one-way"
)

// Info describes one kind.
type Info struct {
	Reversibility Reversibility
	// Why says, for a one-way kind, why there is no way back; for a
	// compensable one, what undo does.
	Why string
	// Doing and Done are what the operator reads, in ICM's form: Doing is
	// followed by " on NODE...", Done stands in "...done on NODE". Both are
	// empty for a kind that works quietly.
	Doing, Done string
}

// The kinds.
const (
	VolumeMount   = "volume.mount"
	SSHHarden     = "ssh.harden"
	AccountEnsure = "account.ensure"
	KernelSet     = "kernel.set"
	KitFetch      = "kit.fetch"
	KitUnpack     = "kit.unpack"
	KitRemove     = "kit.remove"
	DirEnsure     = "dir.ensure"
	IRISInstall   = "iris.install"
	IRISUpgrade   = "iris.upgrade"
	IRISSnapshot  = "iris.snapshot"
	IRISDiscard   = "iris.discard"
	IRISLicense   = "iris.license"
	IRISConfigure = "iris.configure"
	IRISUnit      = "iris.unit"
	IRISRelease   = "iris.release"
	IRISStart     = "iris.start"
	IRISStop      = "iris.stop"
	IRISHealth    = "iris.health"
	IRISVerify    = "iris.verify"
	IRISNamespace = "iris.namespace"
	IRISRemove    = "iris.remove"
	ECPServe      = "ecp.serve"
	ECPConnect    = "ecp.connect"
	DataRemove    = "data.remove"
	VolumeRelease = "volume.release"
	NodeRestore   = "node.restore"

	AgentInstall      = "iscagent.install"
	AgentRun          = "iscagent.run"
	AgentRemove       = "iscagent.remove"
	TLSInstall        = "tls.install"
	MirrorCreate      = "mirror.create"
	MirrorJoin        = "mirror.join"
	MirrorAdmit       = "mirror.admit"
	MirrorArbiter     = "mirror.arbiter"
	MirrorDatabase    = "mirror.database"
	MirrorWait        = "mirror.wait"
	MirrorTakeover    = "mirror.takeover"
	MirrorLeave       = "mirror.leave"
	ShardEnable       = "shard.enable"
	ShardAssign       = "shard.assign"
	ShardActivate     = "shard.activate"
	ShardDeassign     = "shard.deassign"
	ClusterInitialize = "cluster.initialize"
	ClusterAttach     = "cluster.attach"
	ClusterDetach     = "cluster.detach"
	IRISUser          = "iris.user"
	IRISTLS           = "iris.tls"
	GatewayInstall    = "gateway.install"
	GatewayConfigure  = "gateway.configure"
	GatewayCheck      = "gateway.check"
	GatewayRemove     = "gateway.remove"
)

// Table is every kind there is.
var Table = map[string]Info{
	VolumeMount:   {Reversibility: Compensable, Why: "unmounts again; a blank device that was formatted stays formatted", Doing: "Mounting volumes", Done: "mounted volumes"},
	SSHHarden:     {Reversibility: Reversible},
	AccountEnsure: {Reversibility: Reversible},
	KernelSet:     {Reversibility: Reversible},
	KitFetch:      {Reversibility: Reversible, Doing: "Downloading kit", Done: "downloaded kit"},
	KitUnpack:     {Reversibility: Reversible},
	KitRemove:     {Reversibility: Compensable, Why: "the kit is fetched again when it is needed"},
	DirEnsure:     {Reversibility: Reversible},
	IRISInstall:   {Reversibility: Reversible, Doing: "Installing kit", Done: "installed kit"},
	IRISUpgrade:   {Reversibility: Reversible, Doing: "Installing kit", Done: "installed kit"},
	IRISSnapshot:  {Reversibility: Reversible},
	IRISDiscard:   {Reversibility: OneWay, Why: "the copy of the old version is deleted"},
	IRISLicense:   {Reversibility: Reversible},
	IRISConfigure: {Reversibility: Compensable, Why: "iris.cpf is put back; passwords stay as they were set"},
	IRISUnit:      {Reversibility: Reversible},
	IRISRelease:   {Reversibility: Reversible},
	IRISStart:     {Reversibility: Compensable, Why: "stops it again", Doing: "Starting InterSystems IRIS", Done: "started InterSystems IRIS"},
	IRISStop:      {Reversibility: Compensable, Why: "starts it again", Doing: "Stopping InterSystems IRIS", Done: "stopped InterSystems IRIS"},
	IRISHealth:    {Reversibility: Reversible},
	IRISVerify:    {Reversibility: Reversible},
	IRISNamespace: {Reversibility: Compensable, Why: "the namespace and its databases stay; they are empty"},
	IRISRemove:    {Reversibility: OneWay, Why: "the installation directory is deleted", Doing: "Uninstalling InterSystems IRIS", Done: "uninstalled InterSystems IRIS"},
	ECPServe:      {Reversibility: Reversible},
	ECPConnect:    {Reversibility: Reversible},
	DataRemove:    {Reversibility: OneWay, Why: "data is deleted", Doing: "Removing data", Done: "removed data"},
	NodeRestore:   {Reversibility: Compensable, Why: "icm sets it again when it needs it"},
	VolumeRelease: {Reversibility: Compensable, Why: "mounts it again"},

	AgentInstall:      {Reversibility: Compensable, Why: "uninstalls it, unless an older one was there", Doing: "Installing ISCAgent", Done: "installed ISCAgent"},
	AgentRun:          {Reversibility: Reversible},
	AgentRemove:       {Reversibility: OneWay, Why: "the ISCAgent is uninstalled"},
	TLSInstall:        {Reversibility: Reversible},
	MirrorCreate:      {Reversibility: Compensable, Why: "dissolves the mirror; its databases keep their data", Doing: "Configuring mirror", Done: "configured mirror"},
	MirrorJoin:        {Reversibility: Compensable, Why: "leaves the mirror again", Doing: "Configuring mirror", Done: "configured mirror"},
	MirrorAdmit:       {Reversibility: Compensable, Why: "a member that was admitted stays so until it leaves"},
	MirrorArbiter:     {Reversibility: Reversible},
	MirrorDatabase:    {Reversibility: Compensable, Why: "the database stays in the mirror"},
	MirrorWait:        {Reversibility: Reversible},
	MirrorTakeover:    {Reversibility: Compensable, Why: "the other member takes over again when this one is stopped"},
	MirrorLeave:       {Reversibility: OneWay, Why: "a member that left has to join anew"},
	ShardEnable:       {Reversibility: Compensable, Why: "sharding stays enabled, which by itself changes nothing"},
	ShardAssign:       {Reversibility: Compensable, Why: "deassigns the shards again while they hold no data", Doing: "Assigning shards", Done: "assigned shards"},
	ShardActivate:     {Reversibility: Compensable, Why: "the shards are deassigned with their assignment"},
	ShardDeassign:     {Reversibility: Compensable, Why: "assigns the shards again"},
	ClusterInitialize: {Reversibility: Compensable, Why: "the cluster's namespaces stay; they are empty", Doing: "Initializing cluster", Done: "initialized cluster"},
	ClusterAttach:     {Reversibility: Compensable, Why: "detaches it again", Doing: "Attaching node", Done: "attached node"},
	ClusterDetach:     {Reversibility: OneWay, Why: "the node's part of the sharded data leaves the cluster"},
	IRISTLS:           {Reversibility: Compensable, Why: "the superserver is as it was; its TLS configuration stays"},
	IRISUser:          {Reversibility: Compensable, Why: "the password stays as it was set"},
	GatewayInstall:    {Reversibility: Compensable, Why: "uninstalls it, unless an older one was there", Doing: "Installing Web Gateway", Done: "installed Web Gateway"},
	GatewayConfigure:  {Reversibility: Reversible, Doing: "Configuring Web Gateway", Done: "configured Web Gateway"},
	GatewayCheck:      {Reversibility: Reversible},
	GatewayRemove:     {Reversibility: Compensable, Why: "icm installs and configures it again when it is needed"},
}
