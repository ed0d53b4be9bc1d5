//go:build nodes

package nodes

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"icm/labkit/continuity"
)

// page asks a node for a page over HTTP.
func (s *site) page(machine, path string) (status int, text string) {
	s.t.Helper()
	res, err := http.Get("http://" + s.address(machine) + path) //nolint:noctx // ends with the nodes
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(string(body))
}

// answersFrom fails unless a page of a node comes from the instance of server.
func (s *site) answersFrom(machine, path, server string) {
	s.t.Helper()
	if status, text := s.page(machine, path); status != http.StatusOK || !strings.Contains(text, "node "+server+" ") {
		s.t.Errorf("%s of %s is not from %s: status %d: %s", path, machine, server, status, text)
	}
}

func TestAPageOfAWebServerComesFromItsApplicationServer(t *testing.T) {
	t.Parallel()
	s := newSite(t, `[
  {"Role": "DM", "Count": "1"},
  {"Role": "AM", "Count": "1", "StartCount": "2"},
  {"Role": "WS", "Count": "1", "StartCount": "3", "ApplicationPath": "/app"}
]`, with(noVolumes, map[string]any{"Namespace": "DB", "Tag": "PAGE"}))
	dm, am, ws := s.machine("DM", 1), s.machine("AM", 2), s.machine("WS", 3)
	s.provision()
	for _, path := range []string{kit(t, "IRIS-2023.1.0"), kit(t, "WebGateway-2023.1.0"), kit(t, "IRIS-2023.1.1"), kit(t, "WebGateway-2023.1.1")} {
		s.must("scp", "-localPath", path, "-remotePath", "/tmp/")
	}
	definitions := s.read("definitions.json")
	kits := func(s *site, version string) {
		s.set("KitURL", "file:///tmp/"+filepath.Base(kit(s.t, "IRIS-"+version)))
		s.write("definitions.json", strings.Replace(definitions, `"StartCount": "3",`, `"StartCount": "3", "KitURL": "file:///tmp/`+filepath.Base(kit(s.t, "WebGateway-"+version))+`",`, 1))
	}
	kits(s, "2023.1.0")
	s.stage("install installs", func(s *site) {
		s.must("install")
		says(s.t, s.must("plan", "install"), "^Nothing to do")
	})
	s.step("pages come from the application server", func(s *site) {
		for _, path := range []string{"/csp/user/whoami", "/app/whoami"} {
			s.answersFrom(ws, path, am)
		}
		status, _ := s.page(ws, "/elsewhere")
		equal(s.t, "the status of a page that is not the gateway's", status, http.StatusNotFound)
	})
	s.step("no password is anywhere", func(s *site) { s.wantNowhere(dm, am, ws) })
	s.stage("upgrade replaces the kits under a client", func(s *site) {
		kits(s, "2023.1.1")
		done := s.use("DB", continuity.Budget{Restarts: 1})
		s.must("upgrade")
		done(s)
		s.running(version1, dm, am)
		s.answersFrom(ws, "/app/whoami", am)
	})
	s.step("uninstall leaves no page", func(s *site) {
		s.must("uninstall", "-force")
		if res, err := http.Get("http://" + s.address(ws) + "/app/whoami"); err == nil { //nolint:noctx // ends with the nodes
			res.Body.Close()
			equal(s.t, "the status", res.StatusCode, http.StatusNotFound)
		}
		saysNot(s.t, s.inside(ws, "cat /etc/apache2/apache2.conf"), "ApacheCSP")
	})
}
