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
	IRISConfigure: {Reversibility: Reversible},
	IRISUnit:      {Reversibility: Reversible},
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
}
