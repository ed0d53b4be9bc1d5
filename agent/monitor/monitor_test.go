package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"icm/agent/unit"
	"icm/internal/kind"
	"icm/internal/wire"
)

// ward is a node under watch, all of which a test can change.
type ward struct {
	t    *testing.T
	root string
	mon  *Monitor

	now       time.Time
	changes   []wire.ChangeState
	looks     map[string]wire.Look // by kind
	busy      string
	begin     func() // what happens when a round begins
	instances []wire.Instance
	listErr   error
	lag       wire.MirrorState
	units     map[string]unit.Status
	failed    []string
	usage     map[string]Usage
}

func newWard(t *testing.T) *ward {
	t.Helper()
	w := &ward{t: t, root: t.TempDir(), now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC),
		looks: map[string]wire.Look{}, units: map[string]unit.Status{}, usage: map[string]Usage{}}
	w.write("proc/self/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:16 / /data rw - xfs /dev/sdb rw\n3 1 0:50 / /far rw - nfs4 far:/x rw\n")
	w.write("proc/net/tcp", "  sl  local_address rem_address   st\n   0: 00000000:07B4 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 7 1\n") // 1972
	w.restart()
	return w
}

// restart is what a restart of the agent does to the monitor.
func (w *ward) restart() {
	w.mon = New(w.root, filepath.Join(w.root, "home"), w, w, slog.New(slog.DiscardHandler))
	w.mon.Units, w.mon.Now, w.mon.Usage = unitsOf{w}, func() time.Time { return w.now }, w.usageAt
	w.dir("home")
}

func (w *ward) dir(p string) string {
	w.t.Helper()
	full := filepath.Join(w.root, p)
	if err := os.MkdirAll(full, 0o755); err != nil {
		w.t.Fatal(err)
	}
	return full
}

func (w *ward) write(p, text string) {
	w.t.Helper()
	w.dir(filepath.Dir(p))
	if err := os.WriteFile(filepath.Join(w.root, p), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *ward) usageAt(path string) (Usage, error) {
	rel, _ := filepath.Rel(w.root, path)
	if rel == "far" {
		return Usage{}, errors.New("a file system of another machine was asked, and may hang")
	}
	if u, ok := w.usage["/"+strings.TrimPrefix(rel, ".")]; ok {
		return u, nil
	}
	return Usage{Size: 100 << 30, Free: 90 << 30, Inodes: 100, InodesFree: 90}, nil
}

// The engine.

func (w *ward) WhileIdle(ctx context.Context) (context.Context, func(), bool) {
	ctx, cancel := context.WithCancel(ctx)
	if w.begin != nil {
		w.begin()
	}
	if w.busy != "" {
		cancel()
	}
	return ctx, cancel, w.busy == ""
}
func (w *ward) Changes(context.Context, string) ([]wire.ChangeState, error) { return w.changes, nil }
func (w *ward) Busy() string                                                { return w.busy }
func (w *ward) Deployment() string                                          { return "ICM-1" }
func (w *ward) Membership() (*wire.Membership, error) {
	return &wire.Membership{Deployment: "ICM-1", Fields: map[string]string{"ISCInstance": "iris"}}, nil
}
func (w *ward) Look(_ context.Context, tasks []wire.Task) ([]wire.Look, error) {
	l, ok := w.looks[tasks[0].Kind]
	if !ok {
		l = wire.Look{Satisfied: true}
	}
	return []wire.Look{l}, nil
}

// IRIS and systemd.

func (w *ward) List(context.Context) ([]wire.Instance, error) { return w.instances, w.listErr }
func (w *ward) MirrorState(context.Context, wire.Instance) (wire.MirrorState, error) {
	return w.lag, nil
}

type unitsOf struct{ w *ward }

func (u unitsOf) Status(_ context.Context, name string) (unit.Status, error) {
	return u.w.units[name], nil
}
func (u unitsOf) Failed(context.Context) ([]string, error) { return u.w.failed, nil }

// instance makes a directory of an instance that runs well.
func (w *ward) instance() *wire.Instance {
	dir := w.dir("iris")
	w.write("iris/iris.cpf", "[Journal]\nCurrentDirectory=/data/jrn/\n")
	w.write("iris/mgr/messages.log", "05/01/26-11:00:00:000 (7) 2 of yesterday\n")
	w.instances = []wire.Instance{{Name: "IRIS", Dir: dir, Status: "running", Since: "since x", CPF: "iris.cpf", SuperServer: "1972", Health: "ok"}}
	return &w.instances[0]
}

// did records a change as the engine has it when it has ended.
func (w *ward) did(id string, tasks ...wire.Task) {
	s := wire.ChangeState{Change: wire.Change{ID: id, Tasks: tasks}, Status: wire.StatusDone}
	for _, t := range tasks {
		s.Tasks = append(s.Tasks, wire.TaskState{ID: t.ID, Status: wire.StatusDone})
	}
	w.changes = append(w.changes, s)
}

func task(t *testing.T, name string, args any) wire.Task {
	t.Helper()
	data, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	return wire.Task{ID: name, Kind: name, Args: data}
}

// ask is a fresh answer; past includes what is over.
func (w *ward) ask() wire.HealthReply {
	w.t.Helper()
	r, err := w.mon.Health(w.t.Context(), wire.HealthRequest{Past: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// wants fails unless exactly these findings are open, each "check severity
// pattern".
func (w *ward) wants(patterns ...string) wire.HealthReply {
	w.t.Helper()
	r := w.ask()
	var have []string
	for _, f := range r.Findings {
		have = append(have, f.Check+" "+f.Severity+" "+f.Text)
		if strings.Contains(f.Hint, "%s") || f.Hint == "" {
			w.t.Errorf("%s has the hint %q", f.Check, f.Hint)
		}
	}
	for _, p := range patterns {
		found := false
		for i, h := range have {
			if h != "" && regexp.MustCompile("^"+p).MatchString(h) {
				have[i], found = "", true
				break
			}
		}
		if !found {
			w.t.Errorf("it does not find %q; it finds %q", p, have)
		}
	}
	if left := strings.Join(have, ""); left != "" {
		w.t.Errorf("it also finds %q", have)
	}
	return r
}

func TestANodeThatIsWellHasNoFindings(t *testing.T) {
	w := newWard(t)
	w.instance()
	w.did("1", task(t, kind.IRISInstall, kind.Install{Instance: "IRIS"}), task(t, kind.IRISStart, kind.Start{Instance: kind.Instance{Name: "IRIS"}}))
	w.wants()
}

func TestEveryCauseIsAFinding(t *testing.T) {
	start := kind.Start{Instance: kind.Instance{Name: "IRIS"}}
	for _, c := range []struct {
		name  string
		cause func(w *ward, in *wire.Instance)
		want  []string
	}{
		{"its service failed", func(w *ward, _ *wire.Instance) { w.failed = []string{"iris-iris.service", "somebody-elses.service"} },
			[]string{"unit alert iris-iris.service has failed"}},
		{"a mount of ours failed", func(w *ward, _ *wire.Instance) {
			w.write("etc/systemd/system/data.mount", unit.Marker+"[Mount]\n")
			w.failed = []string{"data.mount"}
		}, []string{"unit alert data.mount has failed"}},
		{"it crashed", func(_ *ward, in *wire.Instance) { in.Status = "crashed" }, []string{"instance alert IRIS is crashed, since x"}},
		{"it is down although it was started", func(w *ward, in *wire.Instance) {
			w.did("1", task(t, kind.IRISStop, start))
			w.did("2", task(t, kind.IRISStart, start))
			in.Status = "down"
		}, []string{"instance alert IRIS is down"}},
		{"it is down because icm stopped it", func(w *ward, in *wire.Instance) {
			w.did("1", task(t, kind.IRISStart, start))
			w.did("2", task(t, kind.IRISStop, start))
			in.Status = "down"
		}, nil},
		{"systemd is starting it", func(w *ward, in *wire.Instance) {
			in.Status = "down"
			w.units["iris-iris.service"] = unit.Status{Active: "activating"}
		}, nil},
		{"it lets nobody in", func(_ *ward, in *wire.Instance) { in.Status = "sign-on inhibited" }, []string{"instance alert IRIS is sign-on inhibited"}},
		{"somebody uninstalled it", func(w *ward, _ *wire.Instance) {
			w.did("1", task(t, kind.IRISInstall, kind.Install{Instance: "IRIS"}))
			w.instances = nil
		}, []string{"instance alert IRIS was installed here, and iris qlist does not know it"}},
		{"icm uninstalled it", func(w *ward, _ *wire.Instance) {
			w.did("1", task(t, kind.IRISInstall, kind.Install{Instance: "IRIS"}), task(t, kind.DirEnsure, kind.Dir{Path: "/data"}))
			w.did("2", task(t, kind.IRISRemove, kind.Remove{Instance: kind.Instance{Name: "IRIS"}}))
			w.instances = nil
			w.looks[kind.DirEnsure] = wire.Look{}
		}, nil},
		{"the iris command hangs", func(w *ward, _ *wire.Instance) { w.listErr = errors.New("no answer within 15s") },
			[]string{"instance alert iris qlist gives no answer: no answer within 15s"}},
		{"its health is warn", func(_ *ward, in *wire.Instance) { in.Health = "warn" }, []string{"health warn IRIS reports health warn"}},
		{"it hangs", func(_ *ward, in *wire.Instance) { in.Health = "hung" }, []string{"health alert IRIS reports health hung"}},
		{"it looks for its place in the mirror", func(_ *ward, in *wire.Instance) { in.MirrorType, in.MirrorStatus = "Failover", "Synchronizing" },
			[]string{`mirror warn IRIS, a mirror member \(Failover\), is Synchronizing`}},
		{"it is out of the mirror", func(_ *ward, in *wire.Instance) { in.MirrorType, in.MirrorStatus = "Failover", "Down" }, []string{"mirror alert .* is Down"}},
		{"it is a backup that is behind", func(w *ward, in *wire.Instance) {
			in.MirrorType, in.MirrorStatus = "Failover", "Backup"
			w.lag = wire.MirrorState{Transfer: "12 minutes behind", Dejournal: "Caught up"}
		}, []string{`lag warn IRIS is behind in its mirror: transfer "12 minutes behind", dejournaling "Caught up"`}},
		{"nobody listens on its port", func(_ *ward, in *wire.Instance) { in.SuperServer = "51773,51774" }, []string{"port alert IRIS runs, and nobody listens on its superserver port 51773"}},
		{"a disk is nearly full", func(w *ward, _ *wire.Instance) { w.usage["/data"] = Usage{Size: 100 << 30, Free: 10 << 30} },
			[]string{"space warn /data is 90 % full: 10.0 GiB left"}},
		{"a disk is full", func(w *ward, _ *wire.Instance) { w.usage["/"] = Usage{Size: 100 << 30, Free: 5 << 20} }, []string{"space alert / is 99 % full: 5 MiB left"}},
		{"a file system of another machine is not asked", func(w *ward, _ *wire.Instance) {
			w.did("1", task(t, kind.VolumeMount, kind.Volume{Purpose: "data", MountPoint: "/far"}))
		}, nil},
		{"no inodes are left", func(w *ward, _ *wire.Instance) {
			w.usage["/data"] = Usage{Size: 100, Free: 90, Inodes: 1000, InodesFree: 4}
		},
			[]string{"inodes alert /data has 4 of 1000 inodes free"}},
		{"the licence expires soon", func(w *ward, _ *wire.Instance) {
			w.write("iris/mgr/iris.key", "[ConfigFile]\nFileType=InterSystems License\n[License]\nExpirationDate=5/20/2026\n")
		}, []string{"licence warn the licence key of IRIS expires on 2026-05-20"}},
		{"the licence expired", func(w *ward, _ *wire.Instance) { w.write("iris/mgr/iris.key", "ExpirationDate = 2026-04-30\n") },
			[]string{"licence alert the licence key of IRIS expired on 2026-04-30"}},
		{"the licence has a long time to go", func(w *ward, _ *wire.Instance) {
			w.write("iris/mgr/iris.key", "ExpirationDate=2027-04-30\nOther=1/2/2020\n")
		}, nil},
		{"a kernel setting was changed", func(w *ward, _ *wire.Instance) {
			w.did("1", task(t, kind.KernelSet, kind.Kernel{THP: "never"}))
			w.looks[kind.KernelSet] = wire.Look{Diffs: []wire.Diff{{What: "vm.swappiness", Before: "60", After: "5"}}}
		}, []string{"kernel warn vm.swappiness is 60, set was 5"}},
		{"a mount was changed", func(w *ward, _ *wire.Instance) {
			w.did("1", task(t, kind.VolumeMount, kind.Volume{Purpose: "data", MountPoint: "/data"}))
			w.looks[kind.VolumeMount] = wire.Look{Refused: "/dev/sdb holds something else"}
		}, []string{"provision warn volume data: /dev/sdb holds something else"}},
		{"the unit of the instance was removed", func(w *ward, _ *wire.Instance) {
			w.did("1", task(t, kind.IRISUnit, kind.Unit{Instance: kind.Instance{Name: "IRIS"}}))
			w.looks[kind.IRISUnit] = wire.Look{Diffs: []wire.Diff{{What: "iris-iris.service", After: "runs IRIS, enabled"}}}
		}, []string{"drift warn iris-iris.service is missing, set was runs IRIS, enabled"}},
		{"another instance of somebody else is down", func(w *ward, in *wire.Instance) {
			w.instances = append(w.instances, wire.Instance{Name: "THEIRS", Dir: in.Dir, Status: "down"})
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWard(t)
			c.cause(w, w.instance())
			w.wants(c.want...)
		})
	}
}

func TestADiskThatFillsUpIsToldBeforeItIsFull(t *testing.T) {
	w := newWard(t)
	w.instance()
	for hour := range 4 {
		w.usage["/data"] = Usage{Size: 100 << 30, Free: int64(45-5*hour) << 30}
		w.now = w.now.Add(time.Hour)
		if hour < 3 {
			w.ask()
			w.restart()
		}
	}
	w.wants("filling warn /data is 70 % full, and will be full in 6h0m0s")
	w.now = w.now.Add(7 * 24 * time.Hour) // it stopped growing
	w.wants()
}

func TestAFindingKnowsSinceWhenOverARestartAndWhenItEnded(t *testing.T) {
	w := newWard(t)
	in := w.instance()
	w.wants()
	begun := w.now
	in.Health = "warn"
	w.wants("health warn")
	w.now = w.now.Add(time.Hour)
	w.restart()
	in.Health = "alert"
	if r := w.wants("health alert"); !r.Findings[0].Since.Equal(begun) {
		t.Errorf("it says since %s, it is since %s", r.Findings[0].Since, begun)
	}
	in.Health = "ok"
	r := w.wants()
	if len(r.Past) != 1 || !r.Past[0].Since.Equal(begun) || !r.Past[0].Until.Equal(w.now) {
		t.Errorf("of the past it says %+v", r.Past)
	}
}

func TestThePastIsBoundedAndANodeThatIsWellCostsNoWrite(t *testing.T) {
	w := newWard(t)
	in := w.instance()
	for range maxPast + 5 {
		in.Health = "warn"
		w.ask()
		in.Health = "ok"
		w.ask()
	}
	if n := len(w.ask().Past); n != maxPast {
		t.Errorf("%d findings are kept, want %d", n, maxPast)
	}
	before, err := os.Stat(memoryPath(w.mon.Home))
	if err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Minute)
	w.ask()
	after, err := os.Stat(memoryPath(w.mon.Home))
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("a round in which nothing changed was written down: %v", err)
	}
}

func TestAnAnswerThatIsYoungEnoughIsGivenWithoutALook(t *testing.T) {
	w := newWard(t)
	in := w.instance()
	w.ask()
	in.Health = "warn"
	for _, c := range []struct{ age, max, findings int }{{0, 10, 0}, {9, 10, 0}, {10, 10, 1}} {
		w.now = w.mon.mem.At.Add(time.Duration(c.age) * time.Second)
		r, err := w.mon.Health(t.Context(), wire.HealthRequest{MaxAge: c.max})
		if err != nil || len(r.Findings) != c.findings {
			t.Errorf("after %d s: %d findings, want %d (%v)", c.age, len(r.Findings), c.findings, err)
		}
	}
}

func TestNothingIsLookedAtWhileAChangeRuns(t *testing.T) {
	w := newWard(t)
	in := w.instance()
	w.ask()
	at := w.mon.mem.At
	w.busy, in.Status, w.now = "op-1", "down", w.now.Add(time.Minute)
	r := w.wants()
	if r.Busy != "op-1" || !r.At.Equal(at) {
		t.Errorf("it says busy %q, as of %s; want op-1, as of %s", r.Busy, r.At, at)
	}
}

func TestWhatARoundSawIsDroppedWhenAChangeBeginsInIt(t *testing.T) {
	w := newWard(t)
	in := w.instance()
	w.ask()
	ctx, begin := context.WithCancel(t.Context())
	w.begin = begin // the change that begins stops the instance
	in.Status = "stopping"
	if _, err := w.mon.Health(ctx, wire.HealthRequest{}); err != nil {
		t.Fatal(err)
	}
	if open := w.mon.mem.Open; len(open) > 0 {
		t.Errorf("it found %+v", open)
	}
}

func TestALookThatFailsOrPanicsIsAFindingAndEndsNothing(t *testing.T) {
	w := newWard(t)
	in := w.instance()
	in.Health = "warn"
	w.usage["/data"] = Usage{Size: 100, Free: 1}
	w.wants("health warn", "space alert /data")
	usage := w.mon.Usage
	w.mon.Usage = func(string) (Usage, error) { return Usage{}, errors.New("input/output error") }
	w.wants("health warn", "space alert /data", "look warn cannot look at space: .*input/output error")
	w.mon.Usage = func(string) (Usage, error) { panic("oops") }
	w.wants("health warn", "space alert /data", `look warn cannot look at space: the agent made a mistake \(please report it\): oops`)
	w.mon.Usage, in.Health = usage, "ok"
	w.usage["/data"] = Usage{Size: 100, Free: 99}
	w.wants()
}

func TestWhatWasFoundBeforeIsBegunAnewWhenItCannotBeRead(t *testing.T) {
	for _, text := range []string{"{", `{"format": 99}`} {
		w := newWard(t)
		w.instance().Health = "warn"
		w.write("home/health.json", text)
		w.restart()
		w.wants("health warn")
	}
}

func TestTheMonitorEndsWithItsContextOnly(t *testing.T) {
	w := newWard(t)
	w.mon.Every = time.Millisecond
	rounds := make(chan struct{}, 3)
	w.begin = func() {
		select {
		case rounds <- struct{}{}:
		default:
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.mon.Run(ctx) }()
	for range 3 {
		<-rounds
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestEveryCheckIsInTheTableWithAHintToType(t *testing.T) {
	for name, about := range Table() {
		if about.What == "" || !strings.HasPrefix(about.Hint, "icm ") {
			t.Errorf("%s: %+v", name, about)
		}
	}
	for _, c := range checks() {
		if _, ok := table[c.name]; !ok {
			t.Errorf("%s is not in the table", c.name)
		}
	}
	for k, check := range driftKinds {
		if _, ok := kind.Table[k]; !ok || table[check].Hint == "" {
			t.Errorf("%s → %s", k, check)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add("05/01/26-11:00:00:000 (7) 2 text\n05/01/26-11:00:00:000 (7) 3 ", int64(3))
	dir := f.TempDir()
	n := 0
	f.Fuzz(func(t *testing.T, text string, at int64) {
		n++
		path := filepath.Join(dir, fmt.Sprint(n))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := readOn(place{Offset: max(at, 0)}, true, path)
		if err != nil || p.Offset > int64(len(text)) || p.Count > strings.Count(text, "\n") {
			t.Errorf("%+v, %v", p, err)
		}
	})
}
