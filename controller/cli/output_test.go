package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"icm/internal/kind"
	"icm/internal/wire"
	"icm/tests/sim"
)

func TestTablesHaveTheGuidesForm(t *testing.T) {
	u := provisioned(t, cluster)
	same(t, "inventory", u.must(t, "inventory"), `Machine             IP Address   DNS Name
-------             ----------   --------
ACME-DM-TEST-0001   192.0.2.1    acme-dm-test-0001.example.net
ACME-AM-TEST-0001   192.0.2.2    acme-am-test-0001.example.net
ACME-AM-TEST-0002   192.0.2.3    acme-am-test-0002.example.net
`)
	u.must(t, "install")
	u.site.Machine(am2).SetRunning(false)
	same(t, "ps", u.must(t, "ps"), `Machine             IP Address   Instance   Kit              Status    Health
-------             ----------   --------   ---              ------    ------
ACME-DM-TEST-0001   192.0.2.1    IRIS       2023.1.0.235.1   running   ok
ACME-AM-TEST-0001   192.0.2.2    IRIS       2023.1.0.235.1   running   ok
ACME-AM-TEST-0002   192.0.2.3    IRIS       2023.1.0.235.1   down
`)
	same(t, "ps of one", u.must(t, "ps", "-machine", "ACME-DM-.*"), `Machine             IP Address   Instance   Kit              Status    Health
-------             ----------   --------   ---              ------    ------
ACME-DM-TEST-0001   192.0.2.1    IRIS       2023.1.0.235.1   running   ok
`)
}

func TestJSONAnswersHaveTheGuidesForm(t *testing.T) {
	u := newUser(t, `[{"Role": "DM"}]`)
	u.must(t, "provision", "-json")
	var made map[string]string
	if err := json.Unmarshal([]byte(u.response(t)), &made); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"defaults", "definitions", "instances", "stateDir"} {
		if made[name] == "" {
			t.Errorf("provision's answer has no %s: %v", name, made)
		}
	}
	node := `"MachineName":"ACME-DM-TEST-0001","Role":"DM","IPAddress":"192.0.2.1","DNSName":"acme-dm-test-0001.example.net"`
	u.must(t, "inventory", "-json")
	same(t, "inventory", u.response(t), `[{`+node+`}]`)
	u.must(t, "install", "-json")
	same(t, "install", u.response(t), `[]`)
	u.must(t, "ps", "-json")
	same(t, "ps", u.response(t), `[{`+node+`,"ISCInstance":"IRIS","Kit":"2023.1.0.235.1","Status":"running","Health":"ok"}]`)
	u.must(t, "ssh", "-command", "uptime", "-json")
	same(t, "ssh", u.response(t), `[]`)
}

func TestErrorsAreJSONToo(t *testing.T) {
	u := provisioned(t, cluster)
	u.fails(t, ExitError, "ps", "-role", "QM", "-json")
	holds(t, u.response(t), `"error":"Unrecognized role 'QM'"`)

	u.fails(t, ExitError, "ssh", "-command", "fail", "-machine", dm, "-json")
	holds(t, u.response(t), `[{"ACME-DM-TEST-0001":{"error":"it went wrong","file":"ICM-`, `/ssh.err","exitValue":7}}]`)

	u.site.Unreachable[am1] = os.ErrDeadlineExceeded
	u.fails(t, ExitPartial, "ssh", "-command", "uptime", "-json")
	same(t, "a node that does not answer", u.response(t), `[{"ACME-AM-TEST-0001":{"error":"i/o timeout"}}]`)

	u.fails(t, ExitRefused, "install", "-json")
	holds(t, u.response(t), `"refusals":[{"node":"ACME-AM-TEST-0001"`)

	u.site.Write("definitions.json", `[{"Role": "DX"}]`)
	u.fails(t, ExitRefused, "install", "-json")
	holds(t, u.response(t), `"problems":["definitions.json:1:`)
}

func TestStandardOutputIsPureJSONWhenAskedFor(t *testing.T) {
	u := newUser(t, cluster)
	for _, args := range [][]string{{"provision"}, {"inventory"}, {"check"}, {"plan", "install"}, {"install"}, {"ps"}, {"ssh", "-command", "x"}, {"session", "-command", "write 1"}, {"stop"}, {"version"}} {
		status, out, errs := u.types(t.Context(), append(args, "-json=-")...)
		if status != ExitOK || !json.Valid([]byte(out)) {
			t.Errorf("icm %v: status %d\n%s\n%s", args, status, out, errs)
		}
	}
	status, out, _ := u.types(t.Context(), "ps", "-role", "QM", "-json=-")
	if status != ExitError || !json.Valid([]byte(out)) {
		t.Errorf("an error is told as status %d\n%s", status, out)
	}
}

func TestInstallTellsInTheGuidesWords(t *testing.T) {
	u := provisioned(t, cluster)
	lines := strings.Split(strings.TrimSpace(u.must(t, "install")), "\n")
	for _, node := range []string{dm, am1, am2} {
		var at []int
		for _, want := range []string{
			"Downloading kit on " + node + "...", "...downloaded kit on " + node,
			"Installing kit on " + node + "...", "...installed kit on " + node,
			"Starting InterSystems IRIS on " + node + "...", "...started InterSystems IRIS on " + node,
		} {
			at = append(at, slices.Index(lines, want))
		}
		if slices.Contains(at, -1) || !slices.IsSorted(at) {
			t.Errorf("the lines of %s stand at %v in\n%s", node, at, strings.Join(lines, "\n"))
		}
	}
	if got, want := lines[len(lines)-1], "Management Portal available at: http://192.0.2.1:52773/csp/sys/UtilHome.csp"; got != want {
		t.Errorf("the last line is %q", got)
	}
	if len(lines) != 19 {
		t.Errorf("there are %d lines:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	same(t, "the second time", strings.SplitN(u.must(t, "install"), "\n", 2)[0], "Nothing to do: IRIS is installed and configured on all these nodes.")
}

func TestAFailureNamesNodeReasonAndWhatIsNext(t *testing.T) {
	u := provisioned(t, cluster)
	u.must(t, "install")
	u.site.Machine(am2).Fail(kind.IRISUpgrade, "no room in /usr")
	status, out, errs := u.types(t.Context(), "upgrade", "-kitURL", sim.NewKit)
	if status != ExitPartial {
		t.Errorf("the status is %d", status)
	}
	holds(t, out, `...stopped at "Upgrade IRIS from 2023.1.0.235.1 to 2024.1.0.267.2" on `+am2+": no room in /usr", am2+": undoing: Stop IRIS")
	holds(t, errs, "icm: node "+am2+": ", "no room in /usr", "undone: ", "icm: hint: mend it\n")
	if strings.Contains(errs, am1) || strings.Contains(errs, dm) {
		t.Errorf("others are blamed too:\n%s", errs)
	}
	if log := u.log(t); !strings.Contains(log, "no room in /usr") || strings.Contains(log, "canary-password") {
		t.Errorf("icm.log is\n%s", log)
	}
}

func (u *user) log(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(u.site.Dir, "icm.log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestWarningsAreToldOnce(t *testing.T) {
	u := newUser(t, `[{"Role": "DM", "DataVolumSize": "20"}]`)
	for _, args := range [][]string{{"provision"}, {"install"}} {
		status, out, errs := u.types(t.Context(), args...)
		if status != ExitOK || strings.Count(errs, "DataVolumSize") != 1 || strings.Contains(out, "DataVolumSize") {
			t.Errorf("icm %v: status %d:\n%s\n%s", args, status, out, errs)
		}
	}
}

var digests = regexp.MustCompile(`[0-9a-f]{64}`)

func TestAPlanIsPrintedWithItsStagesAndThePointOfNoReturn(t *testing.T) {
	u := provisioned(t, `[{"Role": "DM"}]`)
	u.must(t, "install")
	got := digests.ReplaceAllString(u.must(t, "plan", "upgrade", "-kitURL", sim.NewKit), "DIGEST")
	same(t, "the plan", got, `note: after an upgrade to another release the application's classes should be recompiled; with -changes the upgrade is held where that is to be done
procedure: major, from release 2023.1 to 2024.1
Stage 1 of 3: stage kits
  ACME-DM-TEST-0001
    kit.fetch      Fetch IRIS-2024.1.0.267.2-lnxrh8x64.tar.gz (reversible)
      kit.fetch: (none) -> done
    kit.unpack     Unpack IRIS-2024.1.0.267.2-lnxrh8x64.tar.gz (reversible)
      kit.unpack: (none) -> done
Stage 2 of 3: upgrade ACME-DM-TEST-0001
  ACME-DM-TEST-0001
    iris.snapshot  Copy version 2023.1.0.235.1 while it runs (reversible)
      iris.snapshot: (none) -> done
    iris.stop      Stop IRIS (compensable)
      iris.stop: (none) -> done
    iris.snapshot  Complete the copy of version 2023.1.0.235.1 (reversible)
      iris.snapshot: (none) -> done
    iris.upgrade   Upgrade IRIS from 2023.1.0.235.1 to 2024.1.0.267.2 (reversible)
      iris.upgrade: (none) -> done
    iris.configure Keep the configuration of IRIS (compensable)
    iris.start     Start IRIS (compensable)
    iris.health    Wait until IRIS is ready (reversible)
    iris.verify    Read the version back (reversible)
      iris.verify: (none) -> done
---- point of no return: delete the copy of the old version: the copy of the old version is deleted ----
Stage 3 of 3: forget the old version
  ACME-DM-TEST-0001
    iris.discard   Delete the copy of the old version (one-way)
    kit.remove     Remove the unpacked kit (compensable)
Plan DIGEST
`)
	same(t, "an empty plan", u.must(t, "plan", "start"), "Nothing to do: start would change nothing.\n")
	holds(t, u.must(t, "plan", "stop"), "Everything in this plan can be undone.\n")
}

func TestFindingsOfAllNodesAreATable(t *testing.T) {
	u := provisioned(t, cluster)
	same(t, "no finding", u.must(t, "check"), "All checks passed.\n")
	u.site.Machine(am1).Find(
		wire.Finding{Check: "space", Result: "fail", Text: "/ has 1 GB", Hint: "make room"},
		wire.Finding{Check: "clock", Result: "pass", Text: "in step"})
	status, out, errs := u.types(t.Context(), "check")
	if status != ExitRefused {
		t.Errorf("the status is %d", status)
	}
	same(t, "the findings", out, `Machine             Result   Check   Finding
-------             ------   -----   -------
ACME-AM-TEST-0001   fail     space   / has 1 GB
                                     hint: make room
`)
	holds(t, errs, "/ has 1 GB")
	_, out, _ = u.types(t.Context(), "check", "-all")
	holds(t, out, "in step")
}

func TestOutputOfOneNodeIsShownOfManyListed(t *testing.T) {
	u := provisioned(t, cluster)
	out := u.must(t, "ssh", "-command", "uptime", "-machine", dm)
	holds(t, out, "Executing command 'uptime' on "+dm+"...", "...output in ICM-", "/ACME-DM-TEST/"+dm+"/ssh.out\n", "this is "+dm+"\n")
	out = u.must(t, "ssh", "-command", "uptime", "-role", "AM")
	if strings.Contains(out, "this is") || strings.Count(out, "...output in ") != 2 {
		t.Errorf("of two nodes it says\n%s", out)
	}
	holds(t, u.fails(t, ExitError, "session"), "Interactive commands cannot match more than one instance")
	u.must(t, "session", "-machine", dm)
	if ran := u.site.Ran.Lines(); !slices.Contains(ran, dm+": sudo -n -u irisowner iris session IRIS -U DB") {
		t.Errorf("it ran %q", ran)
	}
}
