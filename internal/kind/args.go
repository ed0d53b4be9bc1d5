package kind

// Volume is the argument of volume.mount and volume.release.
type Volume struct {
	Purpose string `json:"purpose"` // "data", "wij", "journal1", "journal2", "docker"
	// Device is the user's word: "sdb", "disk/by-id/…", a stable identity the
	// provider gave, or the literal "null" for a plain directory.
	Device     string `json:"device"`
	MountPoint string `json:"mount_point"`
	FileSystem string `json:"file_system"` // ext2, ext3, ext4, xfs, btrfs
	Label      string `json:"label"`       // at most 12 bytes (xfs); made from deployment and purpose
	UUID       string `json:"uuid"`        // chosen by the controller when planning
	// Wipe is the named consent to destroy what the device holds.
	Wipe bool `json:"wipe,omitempty"`
}

// SSH is the argument of ssh.harden.
type SSH struct {
	User      string `json:"user"`
	PublicKey string `json:"public_key"` // authorized_keys line
	Home      string `json:"home"`       // of the user
	// DisablePassword turns password login off, unless the sentinel file
	// ICM/disable_password_login.done stands in the home directory.
	DisablePassword bool `json:"disable_password"`
}

// Account is the argument of account.ensure. Existing accounts are left as
// they are.
type Account struct {
	Owner      string `json:"owner"`       // instance owner, "irisowner"
	OwnerUID   int    `json:"owner_uid"`   // 51773 when free
	OwnerGroup string `json:"owner_group"` // may start and stop
	User       string `json:"user"`        // superserver processes, "irisusr"
	Group      string `json:"group"`
}

// Kernel is the argument of kernel.set. Empty fields are left alone.
type Kernel struct {
	Sysctl      map[string]string `json:"sysctl,omitempty"`
	THP         string            `json:"thp,omitempty"`          // "never"
	RemoveIPC   string            `json:"remove_ipc,omitempty"`   // "no"
	MemlockUser string            `json:"memlock_user,omitempty"` // account whose memlock and nproc limits are raised
}

// FromController begins the URL of a kit that the controller brings to the node
// itself, before the node is asked to take it.
const FromController = "controller:"

// Kit names one kit on a node. Fetched kits lie in the agent's kits
// directory, unpacked ones beside them.
type Kit struct {
	// URL is http, https or file, without user and password, or FromController
	// and the name.
	URL    string `json:"url"`
	Name   string `json:"name"` // base name: IRIS-2023.1.0.235.1-lnxrh8x64.tar.gz
	SHA256 string `json:"sha256,omitempty"`
	// Size, in bytes, and SHA256 are always there for a kit that the controller
	// brings.
	Size int64 `json:"size,omitempty"`
	// CredentialsSecret names the secret "user:password" for the URL.
	CredentialsSecret string `json:"credentials_secret,omitempty"`
	// Platform, when set, is what the kit is taken for, whatever the node's own
	// platform is: Install.Platform overrides the installer's detection.
	Platform string `json:"platform,omitempty"`
}

// Dir is the argument of dir.ensure.
type Dir struct {
	Path  string `json:"path"`
	Owner string `json:"owner"`
	Group string `json:"group"`
	Mode  uint32 `json:"mode"`
}

// Install is the argument of iris.install and iris.upgrade.
type Install struct {
	Instance string  `json:"instance"`
	Dir      string  `json:"dir"`
	Kit      Kit     `json:"kit"`
	Version  string  `json:"version"`            // of the kit
	Platform string  `json:"platform,omitempty"` // overrides the kit's own detection
	Account  Account `json:"account"`
	Security string  `json:"security"` // Minimal, Normal, LockedDown
	// SuperServerPort and WebServerPort are 0 when the kit decides.
	SuperServerPort int `json:"superserver_port,omitempty"`
	WebServerPort   int `json:"webserver_port,omitempty"`
	// From is the version that is upgraded; empty for iris.install.
	From string `json:"from,omitempty"`
}

// Instance names an instance on the node.
type Instance struct {
	Name  string `json:"name"`
	Dir   string `json:"dir"`
	Owner string `json:"owner"`
	Group string `json:"group"` // of its processes and files
	// Version, where it matters to the task, is what must be installed.
	Version string `json:"version,omitempty"`
}

// Unit is the argument of iris.unit.
type Unit struct {
	Instance
	// Mounts are the mount points of the node's volumes: the instance starts
	// after all of them, and not without one.
	Mounts []string `json:"mounts,omitempty"`
}

// Snapshot is the argument of iris.snapshot and iris.discard: a copy of the
// installation directory and the registry, from which iris.upgrade is undone.
type Snapshot struct {
	Instance Instance `json:"instance"`
	// Warm copies while the instance runs, so that the copy made after it
	// stopped only has to bring the difference.
	Warm bool `json:"warm,omitempty"`
}

// License is the argument of iris.license. The key comes as a secret.
type License struct {
	Instance Instance `json:"instance"`
	Secret   string   `json:"secret"` // name of the secret that holds the key file
	SHA256   string   `json:"sha256"` // of the key file
}

// Configure is the argument of iris.configure: what iris.cpf must say before
// the first start, and what else must be set up.
type Configure struct {
	Instance Instance `json:"instance"`
	// Merge says that the kit understands configuration merge (2021.1 and
	// later); otherwise iris.cpf is edited and ObjectScript does the rest.
	Merge bool `json:"merge"`
	// Settings are "section.key" → value: "config.globals" → "0,0,800,0,0,0".
	Settings map[string]string `json:"settings"`
	// PasswordSecret names the secret that holds the PasswordHash value
	// ("hash,salt,rounds,SHA512"); empty leaves the passwords alone.
	PasswordSecret string `json:"password_secret,omitempty"`
	// PlainSecret names the secret that holds the password itself. It is for
	// kits without configuration merge only, where OSAuth needs one sign-on.
	PlainSecret string `json:"plain_secret,omitempty"`
	// LicenseServers are lines of [LicenseServers]: name → "address,port".
	LicenseServers map[string]string `json:"license_servers,omitempty"`
	// OSAuth turns operating system authentication on for the owner's
	// terminal sessions, so that no password is needed on the node.
	OSAuth     bool   `json:"os_auth,omitempty"`
	SystemMode string `json:"system_mode,omitempty"`
}

// Namespace is the argument of iris.namespace.
type Namespace struct {
	Instance Instance `json:"instance"`
	Merge    bool     `json:"merge"`
	Name     string   `json:"name"`
	Dir      string   `json:"dir"` // its database directory, on the data volume
}

// Start is the argument of iris.start, iris.stop and iris.health.
type Start struct {
	Instance Instance `json:"instance"`
	Seconds  int      `json:"seconds"` // deadline of the wait
	// Clean makes iris.stop fail unless messages.log proves a clean shutdown.
	Clean bool `json:"clean,omitempty"`
	// NoFailover makes iris.stop of a primary leave the mirror without one:
	// for taking all members down.
	NoFailover bool `json:"no_failover,omitempty"`
}

// ECPServer is the argument of ecp.serve, on the data server.
type ECPServer struct {
	Instance Instance `json:"instance"`
	Merge    bool     `json:"merge"`
	Clients  int      `json:"clients"` // application servers to allow for
}

// ECPClient is the argument of ecp.connect, on an application server.
type ECPClient struct {
	Instance  Instance `json:"instance"`
	Merge     bool     `json:"merge"`
	Server    string   `json:"server"` // name in [ECPServers]
	Address   string   `json:"address"`
	Port      int      `json:"port"`
	Mirror    bool     `json:"mirror,omitempty"`
	Namespace string   `json:"namespace"`
	RemoteDir string   `json:"remote_dir"` // database directory on the data server
}

// Remove is the argument of iris.remove.
type Remove struct {
	Instance Instance `json:"instance"`
	// Accounts that icm made and that are removed too.
	Accounts bool `json:"accounts,omitempty"`
}

// Restore is the argument of node.restore: the kinds whose settings are to be
// as they were before icm came, in this order.
type Restore struct {
	Kinds []string `json:"kinds"`
}

// Data is the argument of data.remove.
type Data struct {
	Instance string   `json:"instance"`
	Paths    []string `json:"paths"` // mount points whose contents are deleted
}
