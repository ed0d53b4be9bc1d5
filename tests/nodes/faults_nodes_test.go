//go:build nodes

package nodes

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const pair = `[{"Role": "DM", "Count": "1"}, {"Role": "AM", "Count": "1", "StartCount": "2"}]`

// badNode is what can be found before anything is changed.
type badNode struct {
	name        string
	spoil, mend string         // commands inside the application server
	fields      map[string]any // changed for this one
	power       func(on bool)  // instead of spoil and mend
	says        []string       // with NODE for the application server's name
}

func TestBadNodesAreRefusedBeforeAnythingIsChanged(t *testing.T) {
	t.Parallel()
	s := newSite(t, pair, nil)
	dm, am := s.machine("DM", 1), s.machine("AM", 2)
	s.provision()
	s.bringFile(kit(t, "IRIS-2023.1.0"))
	good := s.defaults["KitURL"]
	server := serveOn(t, s, dm)

	for _, bad := range []badNode{
		{
			name:  "the key is refused",
			spoil: "mv ~icm/.ssh/authorized_keys /var/tmp/", mend: "mv /var/tmp/authorized_keys ~icm/.ssh/",
			says: []string{"node NODE: login refused for user icm: the key was not accepted", "hint: .*authorized_keys"},
		},
		{
			name:  "the host key has changed",
			spoil: "mkdir /var/tmp/keys && mv /etc/ssh/ssh_host_* /var/tmp/keys/ && ssh-keygen -q -A && systemctl restart ssh",
			mend:  "rm -f /etc/ssh/ssh_host_* && mv /var/tmp/keys/* /etc/ssh/ && rmdir /var/tmp/keys && systemctl restart ssh",
			says:  []string{"node NODE: host key does not match", "hint: somebody may be listening in.*known_hosts"},
		},
		{
			name:  "sudo asks for a password",
			spoil: "mkdir /var/tmp/sudo && mv /etc/sudoers.d/* /var/tmp/sudo/", mend: "mv /var/tmp/sudo/* /etc/sudoers.d/ && rmdir /var/tmp/sudo",
			says: []string{"node NODE: .*no sudo without a password for user icm", "hint: .*icm ALL=.ALL. NOPASSWD:ALL"},
		},
		{
			name:  "nothing listens on the SSH port",
			spoil: "systemctl stop ssh.socket ssh", mend: "systemctl start ssh",
			says: []string{"node NODE: SSH connection refused: nothing listens at ", "hint: .*SSHPort"},
		},
		{
			name:  "a port of the instance is taken",
			spoil: "systemd-run --quiet --unit=blocker systemd-socket-activate --listen=1972 cat && until ss -ltn | grep -q :1972; do sleep 0.1; done",
			mend:  "systemctl stop blocker",
			says:  []string{`node NODE: port 1972 \(superserver\) is taken by systemd-socket-`, "hint: stop it, or choose another port"},
		},
		{
			name:  "there is no room for the kit",
			spoil: "mkdir -p /var/lib/icm-agent-kits && mount -t tmpfs -o size=2m small /var/lib/icm-agent-kits",
			mend:  "umount /var/lib/icm-agent-kits && rmdir /var/lib/icm-agent-kits",
			says:  []string{"node NODE: /var/lib/icm-agent-kits has .* free, .* needs", "hint: free some space"},
		},
		{
			name:  "the kit is not on the node",
			spoil: "mv /var/tmp/IRIS-* /srv/", mend: "mv /srv/IRIS-* /var/tmp/",
			says: []string{"node NODE: .*there is no file /var/tmp/IRIS-2023", "hint: .*icm scp"},
		},
		{
			name:   "the kit is for another processor",
			fields: map[string]any{"KitURL": "file:///tmp/IRIS-2023.1.1.380.0-lnxrh9arm64.tar.gz"},
			says:   []string{"node NODE: the kit is for lnxrh9arm64, the node is .* on amd64", "hint: take the kit for this processor"},
		},
		{
			name:   "the kit's server does not have it",
			fields: map[string]any{"KitURL": server + "/IRIS-2023.1.0.235.1-lnxubuntu2204x64.tar.gz"},
			says:   []string{"node NODE: cannot fetch http://.*: the server has no such file .status 404", "hint: check KitURL"},
		},
		{
			name:   "the kit's server does not run",
			fields: map[string]any{"KitURL": "http://" + closedPort(t, server) + "/IRIS-2023.1.0.235.1-lnxubuntu2204x64.tar.gz"},
			says:   []string{"node NODE: cannot fetch http://.*: nothing accepts connections there", "hint: check that the server of KitURL runs"},
		},
		{
			name:  "its cable is cut",
			power: func(on bool) { either(on, s.heal, s.cut)(am) },
			says:  []string{"node NODE: node does not answer", "hint: check"},
		},
		{
			name:  "it is off",
			power: func(on bool) { either(on, s.powerOn, s.powerCut)(am) },
			says:  []string{"node NODE: node does not answer", "hint: check"},
		},
	} {
		t.Run(bad.name, func(t *testing.T) {
			s := s.in(t)
			bystander := s.untouched(dm)
			for k, v := range bad.fields {
				s.set(k, v)
			}
			defer s.set("KitURL", good)
			ill := ""
			if bad.power != nil {
				bad.power(false)
				defer bad.power(true)
			} else {
				s.inside(am, bad.spoil)
				defer s.inside(am, bad.mend)
				ill = s.untouched(am)
			}
			s.wantRefusal(s.icm("install"), 3, replaceAll(bad.says, "NODE", am)...)
			s.sameAs(bystander, dm)
			if ill != "" {
				s.sameAs(ill, am)
			}
		})
	}

	s.bring("IRIS-2023.1.0") // the node that was off has an empty /tmp since it started
	s.must("install")
	s.running("2023.1.0.235.1", dm, am)
}

func either[T any](yes bool, a, b T) T {
	if yes {
		return a
	}
	return b
}

func replaceAll(texts []string, old, with string) []string {
	var out []string
	for _, text := range texts {
		out = append(out, strings.ReplaceAll(text, old, with))
	}
	return out
}

// serveOn starts a web server that has nothing, where the nodes can reach it:
// at this machine's end of their network.
func serveOn(t *testing.T, s *site, machine string) string {
	t.Helper()
	gateway := s.inside(machine, "ip -4 -o addr show scope global | sed 's#.* inet \\([0-9.]*\\)\\.[0-9]*/.*#\\1.1#'")
	listener, err := net.Listen("tcp", gateway+":0")
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.NotFoundHandler()}}
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// closedPort is an address on the same machine where nothing listens.
func closedPort(t *testing.T, server string) string {
	t.Helper()
	host, _, err := net.SplitHostPort(strings.TrimPrefix(server, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
