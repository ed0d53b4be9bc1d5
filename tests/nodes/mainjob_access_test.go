//go:build nodes

package nodes

import (
	"os"
	"path/filepath"
	"strings"
)

func (c *cluster) ssh(s *site) {
	id := filepath.Base(s.stateDir())
	out := s.must("ssh", "-command", "hostname; id -un; echo aside >&2")
	for _, m := range c.all {
		dir := filepath.Join(id, m[:len(m)-5], m)
		says(s.t, out, "^Executing command 'hostname; id -un; echo aside >&2' on "+m+"...$", "^...output in "+dir+"/ssh.out$", "^...errors in "+dir+"/ssh.err$")
		equal(s.t, "the output of "+m, s.read(dir+"/ssh.out"), m+"\nicm\n")
		equal(s.t, "the errors of "+m, s.read(dir+"/ssh.err"), "aside\n")
	}
	saysNot(s.t, out, "^icm$", "^aside$")

	says(s.t, s.must("ssh", "-role", "DM", "-command", "echo one node"), "^one node$")
	s.wantRefusal(s.icm("ssh", "-command", "hostname | grep AM"), 4, "node "+c.dm+": ended with status 1")
	s.wantRefusal(s.icm("ssh", "-command", "exit 7"), 1, "node "+c.am2+": ended with status 7")

	s.must("ssh", "-command", "true", "-json")
	equal(s.t, "the answer in JSON", s.response(), any([]any{}))
	r := s.icm("ssh", "-json", "-machine", c.am2, "-command", "ls file.txt")
	s.wantRefusal(r, 1, "^ls: cannot access 'file.txt'", "node "+c.am2+": ended with status 2")
	missing := "ls: cannot access 'file.txt': No such file or directory"
	equal(s.t, "the remote error", s.response(), any([]any{map[string]any{c.am2: map[string]any{
		"error": missing, "exitValue": 2.0, "file": filepath.Join(id, c.am2[:len(c.am2)-5], c.am2, "ssh.err"),
	}}}))

	s.wantRefusal(s.icm("ssh"), 1, "Interactive commands cannot match more than one instance")
	t := s.terminal("", "ssh", "-machine", c.am2, "-interactive", "-command", "test -t 0 && hostname && exit 3")
	if t.status != 1 || !strings.Contains(t.out, c.am2+"\n") {
		s.t.Errorf("the command on the terminal ends with status %d:\n%s", t.status, t.out)
	}
	if t := s.terminal("hostname\nexit\n", "ssh", "-machine", c.am3, "-interactive"); t.status != 0 || !strings.Contains(t.out, "\n"+c.am3+"\n") {
		s.t.Errorf("the shell ends with status %d:\n%s", t.status, t.out)
	}
}

func (c *cluster) scp(s *site) {
	if err := os.MkdirAll(filepath.Join(s.dir, "stuff/deep"), 0o755); err != nil {
		s.t.Fatal(err)
	}
	s.write("stuff/a", "1")
	s.write("stuff/deep/b", "2")
	out := s.must("scp", "-localPath", "stuff", "-remotePath", "/tmp/into/")
	for _, m := range c.all {
		says(s.t, out, "^Copying stuff to "+m+"...$", "^...copied stuff to "+m+"$")
	}
	s.must("scp", "-localPath", "stuff/", "-remotePath", "/tmp/onto/")
	s.must("scp", "-localPath", "stuff/a", "-remotePath", "/tmp/renamed")
	s.must("scp", "-localPath", "stuff/a", "-role", "AM")
	s.must("scp", "-localFile", "stuff/deep/b", "-remoteFile", "/tmp/onto/", "-role", "DM")
	for m, want := range map[string]string{
		c.dm:  "/tmp/into/stuff/a /tmp/into/stuff/deep/b /tmp/onto/a /tmp/onto/b /tmp/onto/deep/b /tmp/renamed",
		c.am2: "/home/icm/a /tmp/into/stuff/a /tmp/into/stuff/deep/b /tmp/onto/a /tmp/onto/deep/b /tmp/renamed",
	} {
		equal(s.t, "the files on "+m, s.inside(m, "find /tmp/into /tmp/onto /tmp/renamed /home/icm/a -type f 2>/dev/null | sort | tr '\\n' ' '"), want)
		equal(s.t, "their owner", s.inside(m, "stat -c %U /tmp/into/stuff/deep/b"), "icm")
	}
	s.inside(c.am2, "rm /home/icm/a")
	s.inside(c.am3, "rm /home/icm/a")
	s.wantRefusal(s.icm("scp", "-localPath", "stuff", "-remotePath", "/tmp/file"), 1, "node "+c.dm+": .*it is a directory, and /tmp/file names a file", "hint: .*-remotePath /tmp/file/")
	s.wantRefusal(s.icm("scp", "-localPath", "nothing"), 1, "^icm: cannot copy nothing: no such file or directory$")
	s.wantRefusal(s.icm("scp", "-localPath", "stuff/a", "-remotePath", "/root/a"), 1, "node "+c.dm+": cannot look at /root/a: permission denied")
}

func (c *cluster) code(s *site) {
	id := filepath.Base(s.stateDir())
	out := s.must("session", "-role", "AM", "-command", `Write $namespace,! Write ##class(%File).Exists("/etc/passwd")`)
	says(s.t, out, "^Executing command in instance IRIS on "+c.am2+"...$", "^...output in "+id+"/T-AM-MAIN/"+c.am2+"/ssh.out$")
	saysNot(s.t, out, "^DB$")
	equal(s.t, "the output", s.read(id+"/T-AM-MAIN/"+c.am3+"/ssh.out"), "DB\n1")
	says(s.t, s.must("session", "-role", "DM", "-namespace", "%SYS", "-command", "Write $namespace"), "^%SYS$")
	s.wantRefusal(s.icm("session", "-role", "DM", "-command", "Write 1/0", "-json"), 1, "node "+c.dm+": the code failed: <DIVIDE>")
	s.wantRefusal(s.icm("sql", "-role", "DM", "-command", "SELECT * FROM Nowhere"), 1, "node "+c.dm+": the code failed: .*SQLCODE: <-30>")
	says(s.t, s.must("sql", "-role", "DM", "-command", "SELECT Ward FROM Patients WHERE Name = 'Ada'"), "^...output in "+id+"/T-DM-MAIN/"+c.dm+"/jdbc.out$", "^Ward$", "^7$")
	s.wantRefusal(s.icm("session"), 1, "Interactive commands cannot match more than one instance")

	if t := s.terminal("Write $namespace\nhalt\n", "session", "-interactive", "-machine", c.am2); t.status != 0 || !strings.Contains(t.out, "Node: "+c.am2+", Instance: IRIS") || !strings.Contains(t.out, "DB>") {
		s.t.Errorf("the session ends with status %d:\n%s", t.status, t.out)
	}
	if t := s.terminal("halt\n", "session", "-interactive", "-machine", c.dm, "-namespace", "%SYS"); t.status != 0 || !strings.Contains(t.out, "%SYS>") {
		s.t.Errorf("the session in %%SYS ends with status %d:\n%s", t.status, t.out)
	}
	if t := s.terminal("SELECT Name FROM Patients\nq\n", "sql", "-interactive", "-machine", c.dm); t.status != 0 || !strings.Contains(t.out, "| Ada |") {
		s.t.Errorf("the SQL shell ends with status %d:\n%s", t.status, t.out)
	}
}
