package monitor

import "context"

// The checks, by the names that findings carry.
const (
	CheckUnit      = "unit"
	CheckInstance  = "instance"
	CheckHealth    = "health"
	CheckMirror    = "mirror"
	CheckLag       = "lag"
	CheckPort      = "port"
	CheckSpace     = "space"
	CheckFilling   = "filling"
	CheckInodes    = "inodes"
	CheckLicence   = "licence"
	CheckMessages  = "messages"
	CheckKernel    = "kernel"
	CheckDrift     = "drift"
	CheckGateway   = "gateway"
	CheckProvision = "provision"
	CheckLook      = "look"
)

// About is what the documentation says of a check.
type About struct {
	// What it looks at.
	What string
	// Hint is the smallest action that clears its findings. NODE stands for
	// the machine's name, %s for what the finding is about.
	Hint string
}

// table is every check there is. The table "What icm health finds" in
// docs/health.md repeats it.
var table = map[string]About{
	CheckUnit:      {"a service that IRIS or the node needs has failed", "icm ssh -machine NODE -command 'sudo systemctl restart %s'"},
	CheckInstance:  {"`iris qlist`: the instance is there, and runs when it should", "icm %s -machine NODE"},
	CheckHealth:    {"`iris qlist`: the health that the instance itself reports", "icm session -machine NODE -namespace %SYS -command 'do ##class(%SYSTEM.Monitor).Clear()'"},
	CheckMirror:    {"`iris qlist`: the member's mirror status", "icm ssh -machine NODE -command 'tail -50 %s'"},
	CheckLag:       {"how far a mirror member is behind, in the words of IRIS", "icm health -watch -machine NODE"},
	CheckPort:      {"the instance listens on its superserver port", "icm stop -machine NODE && icm start -machine NODE"},
	CheckSpace:     {"file systems in use: 85 % full is a warning, 95 % an alert", "icm ssh -machine NODE -command 'sudo du -xh --max-depth=1 %s'"},
	CheckFilling:   {"file systems that will be full within a day if they go on as in the last hours", "icm ssh -machine NODE -command 'sudo du -xh --max-depth=1 %s'"},
	CheckInodes:    {"file systems with less than 5 % of their inodes free", "icm ssh -machine NODE -command 'sudo du -x --inodes --max-depth=1 %s'"},
	CheckLicence:   {"the licence key expires within 30 days, or has", "icm install -machine NODE"},
	CheckMessages:  {"lines of messages.log with severity 2 (a warning) or 3 (an alert) that nobody has seen", "icm health -seen -machine NODE"},
	CheckKernel:    {"kernel settings are not as icm set them", "icm install -machine NODE"},
	CheckDrift:     {"the unit, configuration, licence key, namespace, accounts or directories of an instance are not as icm set them", "icm install -machine NODE"},
	CheckGateway:   {"the Web Gateway: Apache runs, the servers and paths are as icm set them, and the pages answer that answered when it was installed", "icm install -machine NODE"},
	CheckProvision: {"mounts and logins are not as icm set them", "icm provision -stateDir STATEDIR"},
	CheckLook:      {"something could not be looked at", "icm ssh -machine NODE -command 'sudo journalctl -n 50 -u icm-agent'"},
}

// Table is every check there is, for the documentation.
func Table() map[string]About { return table }

// check is a look at one thing. Its error means that it could not look.
type check struct {
	name string
	run  func(ctx context.Context, v *view) error
}

// checks are made in this order, one after the other.
func checks() []check {
	return []check{
		{CheckUnit, checkUnits},
		{CheckInstance, checkInstances},
		{CheckMirror, checkMirrors},
		{CheckLag, checkLag},
		{CheckPort, checkPorts},
		{CheckSpace, checkSpace},
		{CheckLicence, checkLicences},
		{CheckMessages, checkMessages},
		{CheckDrift, checkDrift},
	}
}
