package deploy

import (
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"

	"icm/controller/spec"
	"icm/controller/topology"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/kitname"
)

// Names of the secrets that tasks ask for.
const (
	secretPasswordHash = "password-hash"
	secretPassword     = "password"
	secretLicense      = "license"
	secretKitAccess    = "kit-credentials"

	secretTLSCA          = "tls-ca"
	secretTLSCertificate = "tls-certificate"
	secretTLSKey         = "tls-key"

	defaultStartSeconds = 600
)

// settings is a node as the recipes see it: its fields, turned into arguments.
type settings struct {
	Machine, Role, Address string
	// Peer is the address that other nodes of the deployment reach it at.
	Peer string

	SSH     kind.SSH
	Volumes []kind.Volume
	Dirs    []kind.Dir

	Instance  kind.Instance
	Account   kind.Account
	Kernel    kind.Kernel
	Kit       kind.Kit
	KitInfo   kitname.Kit
	Security  string
	Namespace string
	License   *kind.License

	Mirror     string    // name of its mirror, "" for none
	TLS        *kind.TLS // nil without keys
	tlsSubject string    // of its certificate
	agentPort  int       // of the ISCAgent

	superServerPort, webServerPort int // 0: the instance decides that is there, or the kit
	has                            ports
	adopted                        bool // see leftAlone
	cpf                            map[string]string
	licenseServers                 map[string]string
	systemMode                     string
	dataMount                      string
	hasPassword                    bool
}

// volumePurposes are the volumes of a node, with the words of their fields.
var volumePurposes = []struct{ purpose, field, short string }{
	{"data", "Data", "data"},
	{"wij", "WIJ", "wij"},
	{"journal1", "Journal1", "jrn1"},
	{"journal2", "Journal2", "jrn2"},
}

// nodeFacts is what is known of a node besides its fields.
type nodeFacts struct {
	machine, role, address string
	peer                   string // "": address
	label, tag             string
	devices                map[string]string // identities that the provider gave, by purpose
	publicKey              string
	wipe                   []string // "NODE:DEVICE"
	licenseSHA             string   // of the key file, "" when there is none
	licenseServers         map[string]string
	hasPassword            bool
}

// settingsOf turns a node's fields into arguments. kit is false for work that
// needs none.
func settingsOf(f spec.Fields, n nodeFacts, needKit bool) (settings, error) {
	s := settings{Machine: n.machine, Role: n.role, Address: n.address, Peer: orElse(n.peer, n.address)}
	s.SSH = kind.SSH{User: f.Get("SSHUser"), PublicKey: n.publicKey, Home: path.Join(f.Get("Home"), f.Get("SSHUser")), DisablePassword: true}
	s.Account = kind.Account{Owner: f.Get("OwnerAccount"), OwnerUID: 51773, OwnerGroup: f.Get("OwnerGroup"), User: f.Get("IRISUser"), Group: f.Get("IRISGroup")}
	s.Instance = kind.Instance{Name: strings.ToUpper(f.Get("ISCInstance")), Dir: f.Get("ISCInstallDir"), Owner: s.Account.Owner, Group: s.Account.Group}
	s.Security, s.Namespace, s.systemMode = f.Get("InitialSecurity"), strings.ToUpper(f.Get("Namespace")), f.Get("SystemMode")
	// Fields that nobody set are left to the kit: its own defaults fit its
	// own version.
	s.cpf = f.CPF()
	s.superServerPort, s.webServerPort = f.Int("SuperServerPort"), f.Int("WebServerPort")
	s.hasPassword, s.licenseServers = n.hasPassword, n.licenseServers
	if spec.RunsIRIS(n.role) {
		s.volumes(f, n)
		s.kernel(f)
	}
	if f.Bool("Adopted") {
		s.asFound(f)
	}
	if n.licenseSHA != "" {
		s.License = &kind.License{Instance: s.Instance, Secret: secretLicense, SHA256: n.licenseSHA}
	}
	err := s.kit(f)
	if !needKit {
		return s, nil // without a kit, or with one that has no meaning here
	}
	return s, err
}

func (s *settings) volumes(f spec.Fields, n nodeFacts) {
	for _, v := range volumePurposes {
		mount := f.Get(v.field + "MountPoint")
		device := f.Get(v.field + "DeviceName")
		if id := n.devices[v.purpose]; id != "" && !given(f, v.field+"DeviceName") {
			device = id
		}
		s.Volumes = append(s.Volumes, kind.Volume{
			Purpose: v.purpose, Device: device, MountPoint: mount, FileSystem: f.Get("FileSystem"),
			Label: volumeLabel(n.label, v.short), UUID: volumeUUID(n.label, n.tag, n.machine, v.purpose),
			Wipe: contains(n.wipe, n.machine+":"+device) || contains(n.wipe, n.machine+":"+strings.TrimPrefix(device, "/dev/")),
		})
		s.Dirs = append(s.Dirs, kind.Dir{Path: mount, Owner: s.Account.Owner, Group: s.Account.Group, Mode: 0o775})
	}
	s.dataMount = f.Get("DataMountPoint")
}

// kernel collects the settings that were not turned off.
func (s *settings) kernel(f spec.Fields) {
	s.Kernel.Sysctl = map[string]string{}
	if on(f, "Swappiness") {
		s.Kernel.Sysctl["vm.swappiness"] = "5"
	}
	if pages := hugePages(f); on(f, "HugePages") && pages > 0 {
		s.Kernel.Sysctl["vm.nr_hugepages"] = strconv.Itoa(pages)
	}
	if on(f, "TransparentHugePages") {
		s.Kernel.THP = "never"
	}
	if on(f, "RemoveIPC") {
		s.Kernel.RemoveIPC = "no"
	}
	if on(f, "Memlock") {
		s.Kernel.MemlockUser = s.Account.Owner
	}
}

// on reports whether a switch was not turned off: "auto" is on.
func on(f spec.Fields, name string) bool {
	v := strings.ToLower(f.Get(name))
	return v == "" || v == "auto" || v == "true"
}

// hugePages is how many 2 MiB pages the shared memory needs, with two percent
// to spare: what ISCglobals and ISCroutines ask for, and 300 MB for the rest.
// 0 when the instance sizes its memory itself: then nobody knows beforehand.
func hugePages(f spec.Fields) int {
	mb := 0
	for _, part := range strings.Split(f.Get("ISCglobals"), ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err == nil {
			mb += n
		}
	}
	if mb == 0 {
		return 0
	}
	if n, err := strconv.Atoi(f.Get("ISCroutines")); err == nil {
		mb += n
	}
	return (mb + 300) * 102 / 200
}

func (s *settings) kit(f spec.Fields) error {
	address := f.Get("KitURL")
	if address == "" {
		return fmt.Errorf("KitURL is not set")
	}
	k, err := kitname.ParseURL(address)
	if err != nil {
		return err
	}
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("KitURL cannot be read: %v", err)
	}
	u.User = nil // the credentials go a way of their own
	if err := fits(k, s.Role); err != nil {
		return err
	}
	s.KitInfo = k
	s.Kit = kind.Kit{URL: u.String(), Name: k.Name, SHA256: kitSum(f)}
	if f.Get("KitCredentials") != "" {
		s.Kit.CredentialsSecret = secretKitAccess
	}
	return nil
}

// kitSum is the checksum of a node's kit. One that stands in the defaults file
// is not that of a kit that an entry names.
func kitSum(f spec.Fields) string {
	if f.Source("KitURL") == spec.FromDefinitions && f.Source("KitSHA256") == spec.FromDefaults {
		return ""
	}
	return strings.ToLower(f.Get("KitSHA256"))
}

// kitFields are the fields that a node's kit is taken from. What the command
// line says is for the instances.
func kitFields(n topology.Node) spec.Fields {
	if products[n.Role] != "" {
		return n.Fields.Without(spec.FromOption)
	}
	return n.Fields
}

// products are the kits of the roles that do not run an instance.
var products = map[string]string{"AR": "ISCAgent", "WS": "WebGateway"}

// fits refuses the kit of another role.
func fits(k kitname.Kit, role string) error {
	want, special := products[role]
	switch {
	case special && k.Product != want:
		return hint.New(fmt.Errorf("%s is not what a node of role %s is installed from", k.Name, role),
			fmt.Sprintf(`give the entry of role %s a KitURL of its own, of a kit %s-VERSION-PLATFORM.tar.gz`, role, want))
	case !special && (k.Product == products["AR"] || k.Product == products["WS"]):
		return hint.New(fmt.Errorf("%s is no kit of IRIS", k.Name), "KitURL of the defaults file is for the nodes that run IRIS; AR and WS entries have their own")
	}
	return nil
}

func (s settings) hasKernel() bool {
	k := s.Kernel
	return len(k.Sysctl) > 0 || k.THP != "" || k.RemoveIPC != "" || k.MemlockUser != ""
}

func (s settings) install(from string) kind.Install {
	return kind.Install{
		Instance: s.Instance.Name, Dir: s.Instance.Dir, Kit: s.Kit, Version: s.KitInfo.Version,
		Account: s.Account, Security: s.Security, From: from,
		SuperServerPort: s.superServer(), WebServerPort: s.webServer(),
	}
}

// superServer is the port the instance will listen on.
func (s settings) superServer() int {
	if s.superServerPort != 0 {
		return s.superServerPort
	}
	if s.has.super != 0 {
		return s.has.super
	}
	return s.KitInfo.SuperServerPort()
}

// webServer is the port of the private web server, 0 where the kit has none.
func (s settings) webServer() int {
	if s.webServerPort != 0 {
		return s.webServerPort
	}
	if s.has.super != 0 {
		return s.has.web
	}
	return s.KitInfo.WebServerPort()
}

func (s settings) configure() kind.Configure {
	c := kind.Configure{
		Instance: s.Instance, Merge: s.KitInfo.HasMerge(), Settings: s.cpf,
		LicenseServers: s.licenseServers, OSAuth: true, SystemMode: s.systemMode,
	}
	if s.hasPassword {
		c.PasswordSecret = secretPasswordHash
		if !c.Merge {
			c.PlainSecret = secretPassword // for one sign-on
		}
	}
	return c
}

// verify is what is read back: everything but the password, of which nobody
// keeps anything that could be compared.
func (s settings) verify() kind.Configure {
	c := s.configure()
	c.PasswordSecret, c.PlainSecret = "", ""
	return c
}

// verifyVersion is what an upgraded instance must say. Fields that were changed
// since it was configured are the business of the next `icm install`: they must
// not make an upgrade look like a failure.
func (s settings) verifyVersion() kind.Configure {
	i := s.Instance
	i.Version = s.KitInfo.Version
	return kind.Configure{Instance: i, Merge: s.KitInfo.HasMerge()}
}

func (s settings) start() kind.Start {
	return kind.Start{Instance: s.Instance, Seconds: defaultStartSeconds}
}
func (s settings) stop() kind.Start {
	return kind.Start{Instance: s.Instance, Seconds: defaultStartSeconds, Clean: true}
}

// stopAll is the stop of a mirror's primary when the whole mirror goes down.
func (s settings) stopAll() kind.Start {
	k := s.stop()
	k.NoFailover = s.Mirror != ""
	return k
}

// ownNamespace reports whether a namespace has to be made: USER is there.
func (s settings) ownNamespace() bool { return s.Namespace != "USER" && s.Namespace != "" }

// databaseDir is where the namespace's database lies: on the data volume, or
// in the installation directory for USER, which the kit makes.
func (s settings) databaseDir() string {
	if !s.ownNamespace() {
		return withSlash(path.Join(s.Instance.Dir, "mgr/user"))
	}
	return withSlash(path.Join(s.dataMount, strings.ToLower(s.Namespace)))
}

func (s settings) namespace() kind.Namespace {
	return kind.Namespace{Instance: s.Instance, Merge: s.KitInfo.HasMerge(), Name: s.Namespace, Dir: s.databaseDir()}
}

func (s settings) mountPoints() []string {
	var out []string
	for _, v := range s.Volumes {
		out = append(out, v.MountPoint)
	}
	return out
}

// portal is the address of the Management Portal, "" where the kit serves none.
func (s settings) portal() string {
	if s.webServer() == 0 {
		return ""
	}
	return fmt.Sprintf("http://%s:%d/csp/sys/UtilHome.csp", s.Address, s.webServer())
}

// serves makes room for application servers in iris.cpf before the first
// start, because a larger number counts only after a restart. It goes in steps,
// so that a few more servers later need none.
func (s *settings) serves(clients int) {
	const step = 8
	if clients > 0 && s.cpf["config.MaxServerConn"] == "" {
		s.cpf["config.MaxServerConn"] = strconv.Itoa((clients + step - 1) / step * step)
	}
}

func withSlash(dir string) string { return strings.TrimSuffix(dir, "/") + "/" }

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
