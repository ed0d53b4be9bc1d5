package iris

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"icm/agent/host"
	"icm/agent/webgateway"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/secret"
	"icm/internal/wire"
)

// scripted makes a Node whose iris command answers what the test says.
func scripted(t *testing.T, answer func(args, stdin string) (string, int)) *Node {
	t.Helper()
	root := t.TempDir()
	program := filepath.Join(root, "usr/bin/iris")
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil { //nolint:gosec // has to be executable
		t.Fatal(err)
	}
	n := New(root, filepath.Join(root, "home"))
	n.Poll = time.Millisecond
	n.run = func(_ context.Context, c host.Command) (host.Output, error) {
		var stdin strings.Builder
		if c.Stdin != nil {
			buf := make([]byte, 1<<16)
			k, _ := c.Stdin.Read(buf)
			stdin.Write(buf[:k])
		}
		said, exit := answer(strings.Join(c.Args, " "), stdin.String())
		out := host.Output{Stdout: said, Exit: exit}
		if exit != 0 {
			return out, &host.ExitError{Path: c.Path, Output: out}
		}
		return out, nil
	}
	return n
}

func TestInstancesOfEveryEraAreRead(t *testing.T) {
	for _, c := range []struct {
		name, line string
		want       []wire.Instance
	}{
		{"2018, running", "INSTTEST^/ensemble/insttest/^2018.1.1.643.0^running, since Fri May 13 22:07:02 2016^iris.cpf^56772^57772^62972^ok^IRIS^^^/mgr/config\n",
			[]wire.Instance{{Name: "INSTTEST", Dir: "/ensemble/insttest", Version: "2018.1.1.643.0", Status: "running", Since: "since Fri May 13 22:07:02 2016", CPF: "iris.cpf", SuperServer: "56772", WebServer: "57772", JDBCGateway: "62972", Health: "ok", Product: "IRIS", DataDir: "/mgr/config"}}},
		{"eight fields, down", "D^/d^2015.2^down, last used Fri May 13^cache.cpf^56772^57772^62972\n",
			[]wire.Instance{{Name: "D", Dir: "/d", Version: "2015.2", Status: "down", Since: "last used Fri May 13", CPF: "cache.cpf", SuperServer: "56772", WebServer: "57772", JDBCGateway: "62972"}}},
		{"2024, no web port, a list of super-servers", "IRIS^/usr/irissys/^2024.1.2.398.0com^running, since x^iris.cpf^^^53773^warn^IRISHealth^Failover^Primary^/data/^1972,1973\n",
			[]wire.Instance{{Name: "IRIS", Dir: "/usr/irissys", Version: "2024.1.2.398.0com", Status: "running", Since: "since x", CPF: "iris.cpf", JDBCGateway: "53773", Health: "warn", Product: "IRISHealth", MirrorType: "Failover", MirrorStatus: "Primary", DataDir: "/data", SuperServers: "1972,1973"}}},
		{"noise around", "\nwarning: something\nIRIS^/i^1^sign-on inhibited:primary transition^iris.cpf^^^\n\n",
			[]wire.Instance{{Name: "IRIS", Dir: "/i", Version: "1", Status: "sign-on inhibited:primary transition", CPF: "iris.cpf"}}},
		{"nothing", "", nil},
		{"too few fields", "a^b^c\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, parseQlist(c.line)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzQlist(f *testing.F) {
	f.Add("INSTTEST^/e/^2018.1^running, since x^iris.cpf^1^2^3^ok^IRIS^^^/mgr^1972\n")
	f.Add("^^^^^^^^^\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, in := range parseQlist(text) {
			if in.Name == "" || strings.ContainsAny(in.Name, "^\n") {
				t.Errorf("an instance named %q", in.Name)
			}
		}
	})
}

func TestAMachineWithoutIRISHasNoInstances(t *testing.T) {
	list, err := New(t.TempDir(), t.TempDir()).List(t.Context())
	if err != nil || len(list) != 0 {
		t.Errorf("List() = %v, %v", list, err)
	}
}

func TestAnInstanceIsFoundWhateverTheCase(t *testing.T) {
	n := scripted(t, func(string, string) (string, int) { return "IRIS^/i^1^down^iris.cpf^^^\n", 0 })
	if in, err := n.Find(t.Context(), "iris"); err != nil || in.Name != "IRIS" {
		t.Errorf("Find(iris) = %v, %v", in, err)
	}
	if _, err := n.Find(t.Context(), "other"); !errors.Is(err, ErrNoInstance) {
		t.Errorf("Find(other) = %v", err)
	}
}

// terminal plays an ObjectScript session: it prints prompts and what the test's
// function prints for each line. Input is not echoed, as it is no terminal.
func terminal(ns string, line func(string) string) func(stdin string) string {
	return func(stdin string) string {
		var b strings.Builder
		b.WriteString("\nNode: host, Instance: IRIS\n\n" + ns + ">")
		for l := range strings.Lines(stdin) {
			l = strings.TrimSpace(l)
			if l == "halt" {
				break
			}
			if rest, ok := strings.CutPrefix(l, `write !,"icm-"_"`); ok {
				b.WriteString("\nicm-" + strings.TrimSuffix(rest, `",!`) + "\n")
			} else {
				b.WriteString(line(l))
			}
			b.WriteString("\n" + ns + ">")
		}
		return b.String()
	}
}

func TestTheOutputOfCodeIsFreeOfBannerAndPrompts(t *testing.T) {
	for _, c := range []struct {
		name, ns, code string
		line           func(string) string
		want           string
		failed         bool
	}{
		{"one value", "USER", `Write ##class(%File).Exists("x")`, func(string) string { return "0" }, "0", false},
		{"several lines of code", "%SYS", "set x=1\nwrite x\nwrite x+1", func(l string) string {
			return map[string]string{"set x=1": "", "write x": "1", "write x+1": "2"}[l]
		}, "1\n2", false},
		{"several lines of output", "USER", "do x", func(string) string { return "a\nb\n\nc" }, "a\nb\n\nc", false},
		{"no output", "USER", "set x=1", func(string) string { return "" }, "", false},
		{"a syntax error", "USER", "wirte 1", func(string) string { return "\nwirte 1\n^\n<SYNTAX>" }, "wirte 1\n^\n<SYNTAX>", true},
		{"an undefined variable", "USER", "write x", func(string) string { return "\n<UNDEFINED> *x" }, "<UNDEFINED> *x", true},
		{"HTML is no error", "USER", "do p", func(string) string { return "<HTML>\n</HTML>" }, "<HTML>\n</HTML>", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			play := terminal(c.ns, c.line)
			n := scripted(t, func(args, stdin string) (string, int) {
				if args == "qlist" {
					return "IRIS^/i^1^running^iris.cpf^^^\n", 0
				}
				if want := "session IRIS -U " + c.ns; args != want {
					t.Errorf("iris %s, want %s", args, want)
				}
				return play(stdin), 0
			})
			got, err := n.Session(t.Context(), wire.SessionRequest{Instance: "iris", Namespace: c.ns, Language: "objectscript", Code: c.code})
			if err != nil {
				t.Fatal(err)
			}
			if got.Out != c.want || got.Failed != c.failed {
				t.Errorf("Out %q, Failed %v; want %q, %v", got.Out, got.Failed, c.want, c.failed)
			}
		})
	}
}

func TestCodeThatHaltsTheSessionHasFailed(t *testing.T) {
	play := terminal("USER", func(string) string { return "" })
	n := scripted(t, func(args, stdin string) (string, int) {
		if args == "qlist" {
			return "IRIS^/i^1^running^iris.cpf^^^\n", 0
		}
		return play(stdin), 0
	})
	got, err := n.Session(t.Context(), wire.SessionRequest{Instance: "IRIS", Code: "set x=1\nhalt"})
	if err != nil || !got.Failed {
		t.Errorf("Session() = %+v, %v", got, err)
	}
}

func TestAPasswordGoesInOnlyWhenAsked(t *testing.T) {
	const canary = "canary-91ab"
	for _, asks := range []bool{true, false} {
		var sent []string
		play := terminal("USER", func(string) string { return "1" })
		n := scripted(t, func(args, stdin string) (string, int) {
			if args == "qlist" {
				return "IRIS^/i^1^running^iris.cpf^^^\n", 0
			}
			if strings.Contains(args, canary) {
				t.Error("the password is an argument")
			}
			sent = append(sent, stdin)
			if !asks {
				return play(stdin), 0
			}
			user, rest, _ := strings.Cut(stdin, "\n")
			pass, rest, _ := strings.Cut(rest, "\n")
			if user == "_SYSTEM" && pass == canary {
				return "\nUsername: _SYSTEM\nPassword: *****\n" + play(rest), 0
			}
			return "\nUsername: Password: Access Denied\n", 0
		})
		got, err := n.Session(t.Context(), wire.SessionRequest{Instance: "IRIS", Code: "write 1", User: "_SYSTEM", Password: canary})
		if err != nil || got.Out != "1" {
			t.Errorf("asks %v: Session() = %+v, %v", asks, got, err)
		}
		if !asks && strings.Contains(strings.Join(sent, ""), canary) {
			t.Error("a password that nobody asked for was run as code")
		}
	}
}

func TestAnInstanceThatAsksForALoginIsToldWithAHint(t *testing.T) {
	n := scripted(t, func(args, _ string) (string, int) {
		if args == "qlist" {
			return "IRIS^/i^1^running^iris.cpf^^^\n", 0
		}
		return "\nUsername: Password: \nAccess Denied\n", 1
	})
	_, err := n.Session(t.Context(), wire.SessionRequest{Instance: "IRIS", Code: "write 1"})
	var h *hint.Error
	if !errors.Is(err, ErrLogin) || !errors.As(err, &h) || h.Hint == "" {
		t.Errorf("err = %v", err)
	}
}

const newSQL = "SQL Command Line Shell\n----------------------------------------------------\n\nThe command prefix is currently set to: <<nothing>>.\nEnter <command>, 'q' to quit, '?' for help.\n" +
	"[SQL]%SYS>>SELECT Name,MSGGateway FROM %SYS.PhoneProviders\n1.\tSELECT Name,MSGGateway FROM %SYS.PhoneProviders\n\n" +
	"| Name | MSGGateway |\n| -- | -- |\n| AT&T Wireless | txt.att.net |\n| Cell, One | mobile.celloneusa.com |\n\n2 Rows(s) Affected\nstatement prepare time(s)/globals/cmds/disk: 0.1678s/326,405/2,682,016/0ms\n---------------------------------------------------------------------------\n[SQL]%SYS>>"

const oldSQL = "SQL Command Line Shell\n----------------------------------------------------\n\nThe command prefix is currently set to: <<nothing>>.\nEnter q to quit, ? for help.\n" +
	"%SYS>>SELECT Name,MSGGateway FROM %SYS.PhoneProviders\n1.\tSELECT Name,MSGGateway FROM %SYS.PhoneProviders\n\n" +
	"Name\tMSGGateway\nAT&T Wireless\ttxt.att.net\nCell, One\tmobile.celloneusa.com\n\n2 Rows(s) Affected\nstatement prepare time(s)/globals/lines/disk: 0.0s/1/1/0ms\n%SYS>>"

func TestRowsOfBothShellsBecomeCommaSeparated(t *testing.T) {
	const want = "Name,MSGGateway\nAT&T Wireless,txt.att.net\n\"Cell, One\",mobile.celloneusa.com"
	for name, text := range map[string]string{"new": newSQL, "old": oldSQL} {
		n := scripted(t, func(args, stdin string) (string, int) {
			if args == "qlist" {
				return "IRIS^/i^1^running^iris.cpf^^^\n", 0
			}
			if args != "sql IRIS -U %SYS" || !strings.HasSuffix(stdin, "\nquit\n") {
				t.Errorf("iris %s with %q", args, stdin)
			}
			return text, 0
		})
		got, err := n.Session(t.Context(), wire.SessionRequest{Instance: "IRIS", Namespace: "%SYS", Language: "sql", Code: "SELECT Name,MSGGateway FROM %SYS.PhoneProviders;"})
		if err != nil || got.Failed {
			t.Fatalf("%s: %+v, %v", name, got, err)
		}
		if diff := cmp.Diff(want, got.Out); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestAnSQLErrorHasFailed(t *testing.T) {
	n := scripted(t, func(args, _ string) (string, int) {
		if args == "qlist" {
			return "IRIS^/i^1^running^iris.cpf^^^\n", 0
		}
		return "SQL Command Line Shell\n[SQL]USER>>select * from x\n1.\tselect * from x\n\n[SQLCODE: <-30>:<Table or view not found>]\n[SQL]USER>>", 0
	})
	got, err := n.Session(t.Context(), wire.SessionRequest{Instance: "IRIS", Language: "sql", Code: "select * from x"})
	if err != nil || !got.Failed || !strings.Contains(got.Out, "Table or view not found") {
		t.Errorf("Session() = %+v, %v", got, err)
	}
}

func TestTheInstallerIsToldEverything(t *testing.T) {
	args := kind.Install{
		Instance: "IRIS", Dir: "/usr/irissys", Security: "Normal", Version: "2023.1.0.235.1",
		Account:         kind.Account{Owner: "irisowner", OwnerGroup: "irisowner", User: "irisusr", Group: "irisusr"},
		SuperServerPort: 1972, WebServerPort: 52773, Platform: "lnxrh8x64",
	}
	c := Installer{Args: args, KitDir: "/kit", Password: secret.New("throwaway")}.Command()
	want := []string{
		"ISC_PACKAGE_INSTANCENAME=IRIS", "ISC_PACKAGE_INSTALLDIR=/usr/irissys", "ISC_PACKAGE_STARTIRIS=N",
		"ISC_PACKAGE_WEB_CONFIGURE=N", "ISC_PACKAGE_CSP_CONFIGURE=N", "ISC_PACKAGE_PLATFORM=lnxrh8x64",
		"ISC_PACKAGE_UNICODE=Y", "ISC_PACKAGE_INITIAL_SECURITY=Normal",
		"ISC_PACKAGE_MGRUSER=irisowner", "ISC_PACKAGE_MGRGROUP=irisowner", "ISC_PACKAGE_IRISUSER=irisusr", "ISC_PACKAGE_IRISGROUP=irisusr",
		"ISC_PACKAGE_SUPERSERVER_PORT=1972", "ISC_PACKAGE_WEBSERVER_PORT=52773",
		"ISC_PACKAGE_USER_PASSWORD=throwaway", "ISC_PACKAGE_CSPSYSTEM_PASSWORD=throwaway",
	}
	if diff := cmp.Diff(want, c.Env); diff != "" {
		t.Error(diff)
	}
	if c.Dir != "/kit" || strings.Contains(strings.Join(c.Args, " "), "throwaway") {
		t.Errorf("Dir %q, Args %q", c.Dir, c.Args)
	}

	args.Security = "Minimal"
	if env := strings.Join((Installer{Args: args, Password: secret.New("throwaway")}).Command().Env, " "); strings.Contains(env, "PASSWORD") {
		t.Errorf("minimal security gets a password: %s", env)
	}
	args.Security, args.From = "Normal", "2018.2.0.792.0"
	if env := strings.Join((Installer{Args: args, Password: secret.New("throwaway")}).Command().Env, " "); strings.Contains(env, "PASSWORD") || strings.Contains(env, "SECURITY") {
		t.Errorf("an upgrade is told about passwords: %s", env)
	}
}

func TestAnInstallationCountsOnlyWhenAllAgree(t *testing.T) {
	args := kind.Install{Instance: "IRIS", Dir: "/i", Security: "Normal", Version: "2023.1.0.235.1"}
	for _, c := range []struct {
		name, said, qlist, want string
		exit                    int
	}{
		{"all well", "Installation completed successfully\n", "IRIS^/i^2023.1.0.235.1^down^iris.cpf^^^\n", "", 0},
		{"a community build", "Installation completed successfully\n", "IRIS^/i^2023.1.0.235.1com^down^iris.cpf^^^\n", "", 0},
		{"no last line", "Starting installation\n", "IRIS^/i^2023.1.0.235.1^down^iris.cpf^^^\n", "without saying", 0},
		{"a bad status", "Installation completed successfully\n", "IRIS^/i^2023.1.0.235.1^down^iris.cpf^^^\n", "status 3", 3},
		{"not registered", "Installation completed successfully\n", "", "does not list it", 0},
		{"another version", "Installation completed successfully\n", "IRIS^/i^2018.2.0.792.0^down^iris.cpf^^^\n", "iris qlist says 2018.2.0.792.0", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := scripted(t, nil)
			n.run = func(_ context.Context, cmd host.Command) (host.Output, error) {
				if cmd.Path != "/bin/sh" {
					return host.Output{Stdout: c.qlist}, nil
				}
				out := host.Output{Stdout: c.said, Exit: c.exit}
				for l := range strings.Lines(c.said) {
					cmd.Line(strings.TrimRight(l, "\n"))
				}
				if c.exit != 0 {
					return out, &host.ExitError{Path: "/bin/sh", Output: out}
				}
				return out, nil
			}
			err := n.Install(t.Context(), Installer{Args: args, Password: Throwaway()}, func(string) {})
			if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
				t.Errorf("Install() = %v, want %q", err, c.want)
			}
		})
	}
}

func TestAThrowawayNeverReachesTheLog(t *testing.T) {
	n := scripted(t, nil)
	p := Throwaway()
	n.run = func(_ context.Context, cmd host.Command) (host.Output, error) {
		said := "Error: bad password " + p.Reveal()
		cmd.Line(said)
		out := host.Output{Stdout: said, Stderr: said, Exit: 1}
		return out, &host.ExitError{Path: "/bin/sh", Output: out}
	}
	var lines []string
	err := n.Install(t.Context(), Installer{Args: kind.Install{Instance: "IRIS", Security: "Normal"}, Password: p}, func(s string) { lines = append(lines, s) })
	if all := strings.Join(lines, " ") + err.Error(); strings.Contains(all, p.Reveal()) {
		t.Errorf("the password shows: %s", all)
	}
}

func TestADirectoryThatCannotBeOursIsRefused(t *testing.T) {
	dir := t.TempDir()
	full := filepath.Join(dir, "full")
	link := filepath.Join(dir, "link")
	if err := errors.Join(os.MkdirAll(filepath.Join(full, "mgr"), 0o755), os.Symlink(full, link), os.Mkdir(filepath.Join(dir, "empty"), 0o755)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "new"):       "",
		filepath.Join(dir, "empty"):     "",
		full:                            "not empty",
		link:                            "symbolic link",
		filepath.Join(link, "below"):    "symbolic link",
		"/home/x/iris":                  "/home",
		"relative":                      "absolute",
		"/usr/../etc":                   "absolute",
		"/":                             "absolute",
		"/usr/local/etc/irissys/x":      "list of instances",
		"/opt/a b":                      "blanks",
		"/opt/a^b":                      "blanks",
		"/opt/irís":                     "ASCII",
		filepath.Join(dir, "new\nline"): "ASCII",
	} {
		err := CheckTarget(path, false)
		if (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("CheckTarget(%q) = %v, want %q", path, err, want)
		}
	}
	if err := CheckTarget(full, true); err != nil {
		t.Errorf("what we left ourselves is refused: %v", err)
	}
}

func TestOnlyALaterProofOfACleanShutdownCounts(t *testing.T) {
	const both = "05/03/19-14:24:13:234 (5204) 0 Journal restore not required at next startup\n05/03/19-14:24:13:234 (5204) 0 Transaction rollback not required at next startup\n"
	const start = "06/26/23-08:02:17:828 (144145) 0 [Generic.Event] Allocated 495MB shared memory\n"
	for _, c := range []struct {
		name, text string
		offset     int64
		clean      bool
	}{
		{"both lines", start + both, 0, true},
		{"then started again", both + start, 0, false},
		{"one line only", start + strings.SplitAfter(both, "\n")[0], 0, false},
		{"before the stop began", both, int64(len(both)), false},
		{"after the stop began", both + "x\n" + both, int64(len(both)), true},
		{"the log was replaced since", both, 1 << 20, true},
		{"nothing", "", 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := wire.Instance{Name: "IRIS", Dir: t.TempDir()}
			if err := errors.Join(os.Mkdir(filepath.Join(in.Dir, "mgr"), 0o755), os.WriteFile(MessagesLog(in), []byte(c.text), 0o600)); err != nil {
				t.Fatal(err)
			}
			if err := ProveClean(in, c.offset); (err == nil) != c.clean {
				t.Errorf("ProveClean() = %v", err)
			}
		})
	}
}

func TestAWaitEndsWithTheValueLastSeen(t *testing.T) {
	n := scripted(t, func(string, string) (string, int) {
		return "IRIS^/i^1^running, since x^iris.cpf^^^^hung^IRIS\n", 0
	})
	err := n.UntilReady(t.Context(), "IRIS", Wait{Deadline: time.Now().Add(50 * time.Millisecond)})
	if err == nil || !strings.Contains(err.Error(), `health "hung"`) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("UntilReady() = %v", err)
	}
}

func TestReadyMeansServingAndLettingSessionsIn(t *testing.T) {
	status := []string{
		"IRIS^/i^1^starting^iris.cpf^^^^^IRIS", "IRIS^/i^1^running^iris.cpf^^^^ok^IRIS^Failover^Transition",
		"IRIS^/i^1^running^iris.cpf^^^^warn^IRIS^Failover^Primary",
	}
	looks, sessions := 0, 0
	play := terminal("%SYS", func(string) string { return "" })
	n := scripted(t, func(args, stdin string) (string, int) {
		if args == "qlist" {
			looks++
			return status[min(looks, len(status))-1] + "\n", 0
		}
		if sessions++; sessions == 1 {
			return "Sign-on inhibited: Startup or Installation in progress\n", 239
		}
		return play(stdin), 0
	})
	if err := n.UntilReady(t.Context(), "IRIS", Wait{Deadline: time.Now().Add(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	if looks != 4 || sessions != 2 {
		t.Errorf("%d looks, %d sessions: ready too early or too late", looks, sessions)
	}
}

func TestAMemberThatCatchesUpIsReadyAndNotHealthy(t *testing.T) {
	play := terminal("%SYS", func(string) string { return "" })
	n := scripted(t, func(args, stdin string) (string, int) {
		if args == "qlist" {
			return "IRIS^/i^1^running^iris.cpf^^^^ok^IRIS^Failover^Synchronizing\n", 0
		}
		return play(stdin), 0
	})
	if err := n.UntilReady(t.Context(), "IRIS", Wait{Deadline: time.Now().Add(time.Minute)}); err != nil {
		t.Error(err)
	}
	if in, err := n.Find(t.Context(), "IRIS"); err != nil {
		t.Error(err)
	} else if ok, seen := n.Healthy(t.Context(), in); ok {
		t.Errorf("it is healthy: %s", seen)
	}
}

func TestAMergeHasPasswordsAndTheOwnersDoor(t *testing.T) {
	m, err := BuildMerge([]Setting{{"config", "globals", "0,0,800,0,0,0"}}, secret.New("aa,bb,10000,SHA512"), true)
	if err != nil {
		t.Fatal(err)
	}
	const want = "[config]\nglobals=0,0,800,0,0,0\n[Startup]\nPasswordHash=aa,bb,10000,SHA512\n[Actions]\nModifyService:Name=%Service_Terminal,AutheEnabled=48,Enabled=1\n"
	if diff := cmp.Diff(want, string(m)); diff != "" {
		t.Error(diff)
	}
	if !HasPassword(m) || !HasOSAuth(m) {
		t.Errorf("HasPassword %v, HasOSAuth %v", HasPassword(m), HasOSAuth(m))
	}
	if m, err := BuildMerge(nil, secret.Secret{}, false); err != nil || m != nil {
		t.Errorf("nothing to merge gives %q, %v", m, err)
	}
}

func TestTheUnitRunsAsTheOwnerAndStopsPatiently(t *testing.T) {
	n := New("/nowhere", "/var/lib/icm-agent")
	text := n.UnitText(kind.Instance{Name: "IRIS", Dir: "/usr/irissys", Owner: "irisowner"}, []string{"/usr/irissys", "/irissys/journal 1"}, 300)
	for _, line := range []string{
		"Type=oneshot", "RemainAfterExit=yes", "User=irisowner", "KillMode=process", "TimeoutStopSec=360", "LimitMEMLOCK=infinity",
		"ExecStart=/usr/bin/iris start IRIS quietly", "ExecStop=/usr/bin/iris stop IRIS quietly",
		"RequiresMountsFor=/usr/irissys", `RequiresMountsFor="/irissys/journal 1"`, "StandardInput=null", "WantedBy=multi-user.target",
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("the unit lacks %q:\n%s", line, text)
		}
	}
}

func TestAnInstanceThatDiedIsNotWaitedFor(t *testing.T) {
	for name, wait := range map[string]func(*Node, context.Context, string, Wait) error{"ready": (*Node).UntilReady, "healthy": (*Node).UntilHealthy} {
		looks := 0
		n := scripted(t, func(string, string) (string, int) {
			if looks++; looks < 3 {
				return "IRIS^/i^1^running, since x^iris.cpf^^^^alert^IRIS\n", 0
			}
			return "IRIS^/i^1^crashed, last used x^iris.cpf^^^^^IRIS\n", 0
		})
		n.DiedAfter = 20 * time.Millisecond
		err := wait(n, t.Context(), "IRIS", Wait{Deadline: time.Now().Add(time.Minute)})
		if err == nil || !strings.Contains(err.Error(), "it was started and is \"crashed\" now") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheWebGatewaysInstallerIsToldEverythingAndNoPassword(t *testing.T) {
	web := webgateway.Apache{Conf: "/etc/httpd/conf/httpd.conf", Unit: "httpd.service", User: "apache"}
	got := GatewayCommand(kind.Gateway{Version: "2023.1.0.235.1", Kit: kind.Kit{Platform: "lnxrh8x64"}}, "/kits/x", "/opt/webgateway", web)
	want := host.Command{Path: "/bin/sh", Args: []string{"-c", "umask 022 && exec ./GatewayInstall"}, Dir: "/kits/x/install", Env: []string{
		"ISC_PACKAGE_MODE=unattended", "ISC_PACKAGE_WEB_CONFIGURE=Y", "ISC_PACKAGE_WEB_SERVERTYPE=Apache", "ISC_PACKAGE_WEB_GATEWAY_DIR=/opt/webgateway",
		"ISC_PACKAGE_WEB_APACHE_CONF=/etc/httpd/conf/httpd.conf", "ISC_PACKAGE_WEB_APACHE_USER=apache", "ISC_PACKAGE_PLATFORM=lnxrh8x64"}}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if old := GatewayCommand(kind.Gateway{Version: "2018.2.0.792.0"}, "/kits/x", "/opt/webgateway", web); !strings.HasSuffix(old.Args[1], "GatewayInstall quiet") {
		t.Errorf("an old kit's installer is called %q", old.Args)
	}
}

func TestNamesOfAccountsThatAreNoneAreRefused(t *testing.T) {
	for _, name := range []string{"", `A",.x)`, "a b", "-x"} {
		if CheckUser(name) == nil {
			t.Errorf("the account %q was accepted", name)
		}
	}
	for _, name := range []string{"CSPSystem", "_SYSTEM", "gate.way@acme"} {
		if err := CheckUser(name); err != nil {
			t.Error(err)
		}
	}
}

func TestShardsAndNodesAreSaidInTheFormThatEveryReleaseTakes(t *testing.T) {
	plain := kind.Shard{Host: "10.0.0.1", Port: 1972, Namespace: "ACME"}
	pair, query := plain, plain
	pair.Mirror, pair.BackupHost, pair.BackupPort = "M1", "10.0.0.2", 1973
	query.QueryOf = "10.0.0.9:1972"
	for want, got := range map[string]string{
		`AssignShard("M","10.0.0.1",1972,"ACME")`:                                 assignShard("M", plain),
		`AssignShard("M","10.0.0.1",1972,"ACME","M1","10.0.0.2",1973)`:            assignShard("M", pair),
		`AssignShard("M","10.0.0.1",1972,"ACME","","","","","10.0.0.9:1972")`:     assignShard("M", query),
		`DeassignShard("M","10.0.0.1",1972,"ACME")`:                               deassignShard("M", plain),
		`Cluster.Initialize()`:                                                    initializeCluster(kind.ClusterInit{}),
		`Cluster.Initialize("C")`:                                                 initializeCluster(kind.ClusterInit{Namespace: "C"}),
		`Cluster.InitializeMirrored(,"M",,,"fd00::1")`:                            initializeCluster(kind.ClusterInit{Master: "M", Mirrored: true, Address: "[fd00::1]:1972"}),
		`AttachAsDataNode("IRIS://x:1")`:                                          attachNode(kind.ClusterNode{Role: kind.DataNode, URL: "IRIS://x:1"}),
		`AttachAsComputeNode("IRIS://x:1","10.0.0.1")`:                            attachNode(kind.ClusterNode{Role: kind.ComputeNode, URL: "IRIS://x:1", Address: "10.0.0.1:1972"}),
		`AttachAsMirroredNode("IRIS://x:1","backup","10.0.0.1")`:                  attachNode(kind.ClusterNode{Role: kind.DataNode, MirrorRole: "backup", URL: "IRIS://x:1", Address: "10.0.0.1:1972"}),
		"VerifyShards(\"M\")\nif +sc=1 set sc=$SYSTEM.Sharding.ActivateNewShards": activateShards("M"),
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\ndoes not have %s", got, want)
		}
	}
}

// TestAListingIsReadWhateverItsColumns has the columns of two releases.
func TestAListingIsReadWhateverItsColumns(t *testing.T) {
	old := parseListing("Shard   Host           Port    Namespc  Mirror  Role    VIP\n1       shard1.acme.com   56775   SHARD1\n2       shard2.acme.com   56777   SHARD2  M1  Primary\n")
	if !old.Has("SHARD1.acme.com", 56775) || old.Has("shard1.acme.com", 56777) || old.Has("shard1", 56775) || old.HasNew() {
		t.Errorf("the old listing is read wrongly: %v", old)
	}
	before, after := parseListing("1 10.0.0.1 1972 NS Data New\n"), parseListing("1  10.0.0.1  1972 NS Data Active\n")
	if !before.HasNew() || after.HasNew() || before.String() != after.String() || old.String() == before.String() {
		t.Errorf("%q and %q", before, after)
	}
}

func TestErrorsOfShardingTellWhatToDo(t *testing.T) {
	for said, words := range map[string]string{
		"ERROR #9300: The license key of this instance does not allow sharding": "LicenseDir",
		"ERROR #9318: Shard x holds 3 rows":                                     "move the data away",
		"ERROR #9317: Shard x does not answer as one":                           "firewalls",
		"ERROR #1: something new":                                               "",
	} {
		if got := hint.Of(explainSharding(errors.New(said))); words == "" && got != "" || !strings.Contains(got, words) {
			t.Errorf("%s: %q, want %q", said, got, words)
		}
	}
}
