package kind

// User is the argument of iris.user: the password of an account that the
// instance has, such as CSPSystem, under which the Web Gateway signs on.
type User struct {
	Instance Instance `json:"instance"`
	Name     string   `json:"name"`
	// PasswordSecret names the secret that holds the password itself.
	PasswordSecret string `json:"password_secret"`
	// Mark names the password for people and looks, without telling it: one
	// with another mark is set anew. "" is only ever set once.
	Mark string `json:"mark,omitempty"`
}

// Gateway is the argument of gateway.install and gateway.remove: the Web
// Gateway from its kit, in Apache, which is there already.
type Gateway struct {
	Kit     Kit    `json:"kit"`
	Version string `json:"version"`
	Dir     string `json:"dir"` // "/opt/webgateway" when empty
}

// GatewayServer is one IRIS instance that a gateway talks to.
type GatewayServer struct {
	Name    string `json:"name"` // letters, digits, '-', '_'; such as the machine name
	Address string `json:"address"`
	Port    int    `json:"port"`
	// MirrorAware makes the gateway follow the mirror's primary.
	MirrorAware bool `json:"mirror_aware,omitempty"`
}

// Ways to choose among a path's servers.
const (
	LoadBalancing = "LoadBalancing"
	FailOver      = "FailOver"
)

// GatewayPath is one application path and the servers that answer it.
type GatewayPath struct {
	Path string `json:"path"` // "/csp/user"; "/" is always there
	// Servers are names of GatewayConfig.Servers; the first is the default,
	// the others its alternatives.
	Servers []string `json:"servers"`
	Mode    string   `json:"mode,omitempty"` // LoadBalancing when empty
}

// GatewayConfig is the argument of gateway.configure: what CSP.ini and Apache's
// configuration say. Only what icm wrote is ever changed.
type GatewayConfig struct {
	Dir     string          `json:"dir"` // as Gateway.Dir
	Servers []GatewayServer `json:"servers"`
	Paths   []GatewayPath   `json:"paths"`
	// User signs on to the servers, "CSPSystem" when empty. Its password goes
	// into CSP.ini in the gateway's own encoding.
	User           string `json:"user,omitempty"`
	PasswordSecret string `json:"password_secret,omitempty"`
	Mark           string `json:"mark,omitempty"` // as User.Mark
	// TLSDir is the directory of tls.install, when the servers are spoken to
	// over TLS.
	TLSDir string `json:"tls_dir,omitempty"`
}

// GatewayPage is the argument of gateway.check: a page is asked of this node's
// own web server over HTTP and must answer.
type GatewayPage struct {
	Port    int    `json:"port,omitempty"` // 80
	Path    string `json:"path"`           // such as "/csp/user/isc_status.cxw"
	Want    string `json:"want,omitempty"` // text that the page must hold
	Seconds int    `json:"seconds,omitempty"`
}
