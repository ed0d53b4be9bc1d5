//go:build nodes

package nodes

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What scenarios look at: what icm says, and what is on the nodes.

// step is a part of a scenario that says in its name what happens.
func (s *site) step(name string, f func(s *site)) {
	s.t.Helper()
	s.t.Run(name, func(t *testing.T) { f(s.in(t)) })
}

// stage is a step on which the rest of the scenario builds.
func (s *site) stage(name string, f func(s *site)) {
	s.t.Helper()
	if !s.t.Run(name, func(t *testing.T) { f(s.in(t)) }) {
		s.t.Fatalf("the scenario cannot go on without: %s", name)
	}
}

// equal fails unless a thing is as it should be.
func equal[T any](t *testing.T, what string, have, want T) {
	t.Helper()
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("%s (-want +have):\n%s", what, diff)
	}
}

// says fails unless a text has a match of every pattern.
func says(t *testing.T, text string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile(`(?m)` + p).MatchString(text) {
			t.Errorf("it does not say %q:\n%s", p, text)
		}
	}
}

// saysNot fails when a text has a match of a pattern.
func saysNot(t *testing.T, text string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if m := regexp.MustCompile(`(?m)` + p).FindString(text); m != "" {
			t.Errorf("it says %q:\n%s", m, text)
		}
	}
}

// rows are the cells of a table that icm printed, with its header, without
// its rule and without what stands before it. Empty cells are left out.
func rows(text string) [][]string {
	gap := regexp.MustCompile(` {2,}`)
	var out [][]string
	for line := range strings.Lines(text[max(0, strings.Index(text, "Machine  ")):]) {
		cells := gap.Split(strings.TrimSpace(line), -1)
		if len(cells) > 1 && !strings.HasPrefix(line, "---") {
			out = append(out, cells)
		}
	}
	return out
}

// answer runs a command line and returns what it answers in JSON.
func (s *site) answer(args ...string) any {
	s.t.Helper()
	var out any
	r := s.icm(append(args, "-json=-")...)
	if err := json.Unmarshal([]byte(r.out), &out); err != nil {
		s.t.Fatalf("icm %s -json=- said what is no JSON: %v\n%s%s", args[0], err, r.out, r.err)
	}
	return out
}

// response is what response.json says.
func (s *site) response() any {
	s.t.Helper()
	var out any
	if err := json.Unmarshal([]byte(s.read("response.json")), &out); err != nil {
		s.t.Fatalf("response.json is no JSON: %v", err)
	}
	return out
}

// address is where a node is.
func (s *site) address(machine string) string {
	s.t.Helper()
	for _, row := range s.answer("inventory", "-machine", machine).([]any) {
		return row.(map[string]any)["IPAddress"].(string)
	}
	s.t.Fatalf("%s has no address", machine)
	return ""
}

// setting is what iris.cpf says on a node.
func (s *site) setting(machine, section, key string) string {
	s.t.Helper()
	return s.inside(machine, `sed -n '/^\[`+section+`\]/,/^\[/s/^`+key+`=//p' /usr/irissys/iris.cpf`)
}

// pid is the main process of the instance of a node.
func (s *site) pid(machine string) string {
	s.t.Helper()
	return s.inside(machine, "pgrep -o irisdb || echo none")
}

// digest sums up the keys and values of a database of an instance that is
// down.
func (s *site) digest(machine, dir string) string {
	s.t.Helper()
	return s.inside(machine, "/usr/irissys/bin/standin digest "+dir)
}

// left is what somebody may find on a node: accounts, settings, programs,
// services, processes. The agent and the volumes are not in it.
func (s *site) left(machine string) string {
	s.t.Helper()
	return s.inside(machine, `{
		for f in passwd group shadow gshadow subuid subgid; do sed "s/^/$f: /" /etc/$f; done
		find /etc /usr/local /usr/bin /usr/lib/systemd /usr/lib/tmpfiles.d /var/lib /var/spool /opt /root /home /srv -xdev \
			! -name '*-' ! -path '*/icm-agent*' ! -path '/etc/systemd/system/*irissys-*.mount' ! -path '/var/lib/systemd/*' -printf '%p %y %m %U:%G %l\n'
		find /usr / -maxdepth 1 -printf '%p %y %m %U:%G %l\n'
		find /etc -type f ! -name '*-' ! -path '*irissys-*.mount' -exec sha256sum {} +
		systemctl list-unit-files --no-pager --no-legend | grep -v irissys-
		sysctl vm.swappiness vm.nr_hugepages
		cat /sys/kernel/mm/transparent_hugepage/enabled
		ps -e -o user:20=,comm= | grep -v -e ' ps$' -e ' grep$' -e ' sh$' -e ' sort$' -e sshd -e systemd -e '(sd-pam)'
		ls -A /dev/shm /run/user
	} 2>/dev/null | sort -u`)
}

// wantNowhere fails when the password of the instances can be found: on the
// nodes, in files and in what processes show of themselves, or in the site's
// own files. The search keeps it out of its own command line.
func (s *site) wantNowhere(machines ...string) {
	s.t.Helper()
	for _, m := range machines {
		found := s.inside(m, `umask 077; head=`+password[:5]+`; printf %s "${head}`+password[5:]+`" > /run/canary
			grep -slaF -f /run/canary /proc/[0-9]*/cmdline /proc/[0-9]*/environ
			grep -srlaF -f /run/canary /etc /home /root /tmp /var /opt /usr/irissys /irissys /usr/local /run --exclude=canary
			journalctl --no-pager -o verbose | grep -F -f /run/canary
			rm -f /run/canary`)
		equal(s.t, "the password on "+m, found, "")
	}
	err := filepath.WalkDir(s.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), password) {
			s.t.Errorf("the password stands in %s", path)
		}
		return err
	})
	if err != nil {
		s.t.Error(err)
	}
}

// watch looks for the password in what processes show of themselves until its
// result is called, which returns what was seen.
func (s *site) watch(machine string) (seen func() string) {
	s.t.Helper()
	s.inside(machine, `umask 077; mkdir -p /run/watch; head=`+password[:5]+`; printf %s "${head}`+password[5:]+`" > /run/watch/for
		cat > /run/watch/loop <<-'END'
		while [ ! -e /run/watch/stop ]; do
			grep -slaF -f /run/watch/for /proc/[0-9]*/cmdline /proc/[0-9]*/environ | while read f; do
				case $f in */self/*) ;; *) echo "$f: $(tr '\0' ' ' < ${f%/*}/cmdline)" >> /run/watch/seen;; esac
			done
			echo x >> /run/watch/rounds
		done
		END
		systemd-run --quiet --unit=watch sh /run/watch/loop`)
	return func() string {
		s.t.Helper()
		out := s.inside(machine, `touch /run/watch/stop; while systemctl is-active --quiet watch; do :; done
			[ -s /run/watch/rounds ] || echo it never looked; cat /run/watch/seen 2>/dev/null; rm -r /run/watch`)
		return out
	}
}

// terminal runs a command line on a terminal, and types into it.
func (s *site) terminal(typed string, args ...string) result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	cmd := exec.CommandContext(ctx, "script", "-qec", filepath.Join(top(), "bin/icm")+" "+strings.Join(quoted, " "), "/dev/null")
	cmd.Dir, cmd.Env, cmd.Stdin = s.dir, s.env, strings.NewReader(typed)
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		s.t.Fatalf("icm %s did not end on a terminal; it said:\n%s", strings.Join(args, " "), out)
	}
	if cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	s.t.Logf("$ icm %s   (on a terminal, status %d)\n%s", strings.Join(args, " "), cmd.ProcessState.ExitCode(), out)
	return result{out: strings.ReplaceAll(string(out), "\r", ""), status: cmd.ProcessState.ExitCode()}
}

// serveKits serves the kits over HTTP where the nodes of a site can reach
// them: at this machine's end of their network. user may be empty.
func (s *site) serveKits(machine, user, pass string) (url string) {
	s.t.Helper()
	ip := s.address(machine)
	listener, err := net.Listen("tcp", ip[:strings.LastIndex(ip, ".")]+".1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	files := http.FileServer(http.Dir(filepath.Join(top(), "build/kits")))
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); u != user || p != pass {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		files.ServeHTTP(w, r)
	})}
	go server.Serve(listener) //nolint:errcheck // ends with Close
	s.t.Cleanup(func() { _ = server.Close() })
	return "http://" + listener.Addr().String()
}
