package kind

// ISCAgent is the argument of iscagent.install and iscagent.remove: the
// ISCAgent from a kit of its own, as on an arbiter. Nodes with IRIS have one
// from the IRIS kit.
type ISCAgent struct {
	Kit     Kit    `json:"kit"`
	Version string `json:"version"` // of the kit
}

// AgentService is the argument of iscagent.run: the ISCAgent's service is
// enabled and runs. Kits install it and leave it off.
type AgentService struct {
	// Port is where it listens; 0 leaves it at what is configured (2188).
	Port int `json:"port,omitempty"`
}

// SecretFile is a file whose content comes as a secret.
type SecretFile struct {
	Secret string `json:"secret"` // name of the secret
	SHA256 string `json:"sha256"` // of the content, so that a look needs no secret
}

// TLS is the argument of tls.install. The files get the names that ICM gives
// them: CAFile.pem, CertificateFile.pem, PrivateKeyFile.pem. They are the
// owner's, mode 0640: the superserver's processes are in the group.
type TLS struct {
	Dir         string     `json:"dir"`
	Owner       string     `json:"owner"`
	Group       string     `json:"group"`
	CA          SecretFile `json:"ca"`
	Certificate SecretFile `json:"certificate"`
	Key         SecretFile `json:"key"`
}

// SuperServer is the argument of iris.tls: the superserver of the instance takes
// connections over TLS too, with the files of tls.install in Dir. Those without
// TLS it goes on to take.
type SuperServer struct {
	Instance Instance `json:"instance"`
	Dir      string   `json:"dir"`
}

// Mirror is what every task says of the mirror that its instance is in.
type Mirror struct {
	Instance Instance `json:"instance"`
	Mirror   string   `json:"mirror"` // its name: 1 to 15 letters and digits, in capitals
}

// MirrorMember is the argument of mirror.create, on the first failover member.
// The instance runs, and so does the node's ISCAgent.
type MirrorMember struct {
	Mirror
	// Member is the member's own name (SystemName), at most 32 characters.
	Member string `json:"member"`
	// Address is where the other members and application servers find it.
	Address string `json:"address"`
	// Arbiter is "host:port", or empty for none.
	Arbiter string `json:"arbiter,omitempty"`
	// TLSDir is the directory of tls.install; empty is a mirror without TLS.
	TLSDir string `json:"tls_dir,omitempty"`
	// AgentPort is the port of the node's own ISCAgent, 0 for 2188.
	AgentPort int `json:"agent_port,omitempty"`
}

// Types of members that mirror.join makes.
const (
	Failover = "failover"
	DRAsync  = "drasync"
)

// FirstMember is where a joining member finds the mirror: any failover member
// whose ISCAgent answers, best the primary.
type FirstMember struct {
	Member    string `json:"member"`
	Instance  string `json:"instance"` // name of the instance there
	Address   string `json:"address"`
	AgentPort int    `json:"agent_port,omitempty"` // 0 for 2188
}

// JoiningMember is the argument of mirror.join. A failover member is restarted by
// it: without that it asks for the first journal for ever.
type JoiningMember struct {
	MirrorMember
	Type  string      `json:"type"` // Failover or DRAsync
	First FirstMember `json:"first"`
	// Seconds is how long it may take to find its place, the restart
	// included; 0 for five minutes. In a mirror with TLS a member that was not
	// admitted yet has found its place when it waits for that.
	Seconds int `json:"seconds,omitempty"`
}

// Admission is the argument of mirror.admit, on the primary: into a mirror with
// TLS nobody comes whom the primary did not admit. It may be done before the
// members join, or while they wait.
type Admission struct {
	Mirror
	Members []NewMember `json:"members"` // those that are in already are left alone
}

// NewMember is a member that is to be let in.
type NewMember struct {
	Member  string `json:"member"`
	Type    string `json:"type"` // Failover or DRAsync
	Address string `json:"address"`
	// DN is the subject of its certificate, such as "CN=acme-dm-2,O=Acme".
	DN string `json:"dn,omitempty"`
}

// Arbiter is the argument of mirror.arbiter, on the primary.
type Arbiter struct {
	Mirror
	Arbiter string `json:"arbiter"` // "host:port", or empty for none
}

// MirroredDatabase is the argument of mirror.database, which runs on the primary
// first and then on every other member. A database that holds data and is not
// mirrored yet is made part of the mirror on the primary; elsewhere it is
// refused, because its content has to be brought over first.
type MirroredDatabase struct {
	Mirror
	Name string `json:"name"` // of database and namespace
	Dir  string `json:"dir"`  // on the data volume
	// MirrorName is the database's name in the mirror, the same on all
	// members; empty for Name.
	MirrorName string `json:"mirror_name,omitempty"`
}

// What mirror.wait can wait for.
const (
	// WantMember is any settled place in the mirror: primary, caught-up
	// backup, or async that is connected.
	WantMember  = "member"
	WantPrimary = "primary"
	// WantBackup is a backup that is active and could take over.
	WantBackup = "backup"
	// WantAsync is an async that is connected and has caught up.
	WantAsync = "async"
)

// MirrorPlace is the argument of mirror.wait, which changes nothing, and of
// mirror.takeover, whose Want is ignored.
//
// mirror.takeover runs on the backup at the same time as iris.stop on the
// primary, in one stage, or after it: it waits until this member has become the
// primary. That it can is proved before, by mirror.wait with WantBackup.
type MirrorPlace struct {
	Mirror
	Want    string `json:"want,omitempty"`
	Seconds int    `json:"seconds,omitempty"` // 0 for five minutes
}
