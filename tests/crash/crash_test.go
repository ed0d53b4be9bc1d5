package crash

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// lab is where all runs of this test happen.
type lab struct {
	t    *testing.T
	work string
	kits string
}

// reference is a run that nothing disturbed.
type reference struct {
	siteResult
	volatile map[string]bool
}

// newLab makes a directory in memory: disks that are synced thousands of times
// would tell of this machine's disk, not of icm.
func newLab(t *testing.T) *lab {
	if os.Geteuid() != 0 {
		t.Skip("needs root: nodes have namespaces and file systems of their own")
	}
	for _, program := range []string{"/usr/sbin/sshd", "mkfs.ext4", "ip"} { // nodes are copies of this machine
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("needs %s: make deps installs it", program)
		}
	}
	sweep(t)
	work, err := os.MkdirTemp("/dev/shm", fmt.Sprintf("icm-crash-%d-", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeWork(t, work) })
	l := &lab{t: t, work: work, kits: filepath.Join(work, "kits")}
	if out, err := exec.CommandContext(t.Context(), "go", "run", "icm/labkit/cmd/mkkits", "-o", l.kits).CombinedOutput(); err != nil {
		t.Fatalf("cannot make the kits: %v\n%s", err, out)
	}
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"slots", "here"} {
		if err := os.Mkdir(filepath.Join(work, dir), dirPrivate); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(work, "id.pub"), ssh.MarshalAuthorizedKey(key), 0o600); err != nil {
		t.Fatal(err)
	}
	return l
}

// removeWork deletes the working directory. The kernel takes a moment to let go
// of the file systems of nodes that were killed.
func removeWork(t *testing.T, work string) {
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if err = os.RemoveAll(work); err == nil {
			return
		}
		runtime.Gosched()
	}
	t.Error(err)
}

// sweep removes what tests left that were killed themselves: it takes memory.
func sweep(t *testing.T) {
	old, err := filepath.Glob("/dev/shm/icm-crash-*")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range old {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), "icm-crash-"), "-")
		if _, err := os.Stat("/proc/" + pid); errors.Is(err, os.ErrNotExist) {
			if err := os.RemoveAll(dir); err != nil {
				t.Error(err)
			}
		}
	}
}

// runLimit bounds one run of a site.
const runLimit = 6 * time.Minute

// run runs a site to its end, in namespaces that take everything with them.
func (l *lab) run(p point, save bool) (res siteResult, err error) {
	slot, err := os.MkdirTemp(filepath.Join(l.work, "slots"), "s")
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(slot)) }()
	log, err := os.Create(filepath.Join(slot, "log"))
	if err != nil {
		return res, err
	}
	defer log.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = roleEnv("site", siteOrder{Work: l.work, Slot: slot, Kits: l.kits, Point: p, Save: save})
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // Pdeathsig counts from the thread that started it
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return res, err
	}
	timer := time.AfterFunc(runLimit, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err = cmd.Wait()
	said, readErr := os.ReadFile(log.Name())
	if err != nil || readErr != nil {
		return res, fmt.Errorf("the site of %s: %w: %s", p, errors.Join(err, readErr), said)
	}
	data, err := os.ReadFile(filepath.Join(slot, "result.json"))
	if err == nil {
		err = json.Unmarshal(data, &res)
	}
	res.Said += string(said)
	return res, err
}

// undisturbed runs a scenario twice without harm: the first is the reference,
// and tells the points; the second what differs from run to run.
func (l *lab) undisturbed(sc scenario) (reference, error) {
	var two [2]siteResult
	var errs [2]error
	var runs sync.WaitGroup
	for i := range two {
		runs.Go(func() {
			res, err := l.run(point{Scenario: sc.Name}, i == 1)
			if err != nil || res.Trouble != "" {
				errs[i] = fmt.Errorf("%s does not even work undisturbed: %v %s\n%s", sc.Name, err, res.Trouble, res.Said)
			}
			two[i] = res
		})
	}
	runs.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return reference{}, err
	}
	ref := reference{two[0], volatileFiles(two[0].State, two[1].State)}
	for name, n := range two[1].Changes { // how many events there are is a matter of time
		ref.Changes[name] = min(n, ref.Changes[name])
	}
	ref.Moments = min(ref.Moments, two[1].Moments) // and so is how often a node is asked
	if diff := difference(ref.State, two[1].State, ref.volatile); len(diff) > 0 {
		return ref, fmt.Errorf("two undisturbed runs of %s differ:\n%s", sc.Name, strings.Join(diff, "\n"))
	}
	return ref, nil
}

// points are all points of a scenario: every record of every node, in every
// way, every moment of the controller, and every change it makes to a file.
func (r reference) points(sc scenario) []point {
	var out []point
	for _, m := range machines {
		for n := uint64(1); n <= r.Records[m.short] && !sc.Here; n++ {
			for _, how := range []string{"before:%d", "after:%d", "torn:%d:" + strconv.FormatUint(1+n*7%90, 10)} {
				out = append(out, point{Scenario: sc.Name, Target: m.short, Fault: fmt.Sprintf(how, n)})
			}
			for _, how := range []string{"before:%d", "after:%d"} {
				out = append(out, point{Scenario: sc.Name, Target: m.short, Fault: fmt.Sprintf(how, n), Power: true})
			}
		}
	}
	out = append(out, r.tornPoints(sc)...)
	for n := int64(1); n <= r.Moments; n++ {
		out = append(out, point{Scenario: sc.Name, Target: "controller", Fault: fmt.Sprintf("kill:%d", n)})
		if sc.Takeover {
			out = append(out, point{Scenario: sc.Name, Target: "takeover", Fault: fmt.Sprintf("halt:%d", n)})
		}
	}
	return append(out, r.changePoints(sc)...)
}

// tornAtEveryByte is of which scenarios one record is torn at every byte; all
// others are torn at one.
var tornAtEveryByte = []string{"install", "upgrade", "stop"}

// longestTorn is about how long a record is, in bytes; one that is shorter is then
// whole, and not synced.
const longestTorn = 200

func (r reference) tornPoints(sc scenario) []point {
	if !slices.Contains(tornAtEveryByte, sc.Name) {
		return nil
	}
	var out []point
	for k := range longestTorn {
		out = append(out, point{Scenario: sc.Name, Target: "dm", Fault: fmt.Sprintf("torn:%d:%d", r.Records["dm"]/2, k)})
	}
	return out
}

// changePoints are the controller's death before every change it makes to a
// file, in the middle of every write, and the power cut at every moment at
// which it takes most away: before a sync, and before a rename.
func (r reference) changePoints(sc scenario) []point {
	var out []point
	for _, name := range slices.Sorted(maps.Keys(r.Changes)) {
		call, _, _ := strings.Cut(name, "@")
		for n := 1; n <= r.Changes[name]; n++ {
			p := point{Scenario: sc.Name, Target: "controller", Fault: fmt.Sprintf("change:%d:%s", n, name)}
			if call != "sync" {
				out = append(out, p)
			}
			if p.Power = true; call == "sync" || call == "rename" {
				out = append(out, p)
			}
			if call == "write" {
				out = append(out, point{Scenario: sc.Name, Target: "controller", Fault: fmt.Sprintf("torn:%d:%s", n, name)})
			}
		}
	}
	return out
}

// shownDiffs is how many differences are printed.
const shownDiffs = 12

// try runs a point and says what is wrong with its end.
func (l *lab) try(p point, ref reference) []string {
	res, err := l.run(p, false)
	switch {
	case err != nil:
		return []string{err.Error()}
	case res.Trouble != "":
		return []string{res.Trouble, l.said(res)}
	case !res.Fired:
		return []string{"it was never reached"}
	}
	if diff := difference(ref.State, res.State, ref.volatile); len(diff) > 0 {
		if more := len(diff) - shownDiffs; more > 0 {
			diff = append(diff[:shownDiffs], fmt.Sprintf("and %d more", more))
		}
		return append(diff, l.said(res))
	}
	return nil
}

// said is what controllers and nodes said, where one point alone is run.
func (l *lab) said(res siteResult) string {
	if flag.Lookup("point").Value.String() == "" {
		return "(run alone, it says more)"
	}
	return res.Said
}

// tally counts points and those that converged.
type count struct{ points, converged int }

// workersPerCPU is more than one because instances take their time to start
// and stop without using any.
const workersPerCPU = 3

// attempt runs points side by side and prints those that did not converge.
func (l *lab) attempt(points []point, refs map[string]reference) map[string]count {
	var mu sync.Mutex
	out := map[string]count{}
	next := make(chan point)
	var workers sync.WaitGroup
	for range workersPerCPU * runtime.NumCPU() {
		workers.Go(func() {
			for p := range next {
				wrong := l.try(p, refs[p.Scenario])
				mu.Lock()
				c := out[p.Scenario]
				c.points++
				if wrong == nil {
					c.converged++
				} else {
					l.t.Errorf("%s did not converge:\n\t%s\n\tagain: go test ./tests/crash -run TestEveryCommand -args -point %s", p, strings.Join(wrong, "\n\t"), p)
				}
				out[p.Scenario] = c
				mu.Unlock()
			}
		})
	}
	for _, p := range points {
		next <- p
	}
	close(next)
	workers.Wait()
	return out
}

func TestEveryCommandEndsTheSameWayWhereverItIsCutOff(t *testing.T) {
	l := newLab(t)
	only := flag.Lookup("point").Value.String()
	refs, all := l.references(only)
	chosen := choose(t, all, only)
	begun := time.Now()
	total := count{}
	result := l.attempt(chosen, refs)
	for _, name := range slices.Sorted(maps.Keys(result)) {
		c := result[name]
		fmt.Printf("%-18s %d points, %d converged\n", name, c.points, c.converged)
		total.points += c.points
		total.converged += c.converged
	}
	fmt.Printf("%d points, %d converged (of %d there are, in %s)\n", total.points, total.converged, len(all), time.Since(begun).Round(time.Second))
	if total.points == 0 || total.converged != total.points {
		t.Errorf("%d of %d points did not converge", total.points-total.converged, total.points)
	}
}

// references runs every scenario undisturbed, or those that a point needs.
func (l *lab) references(only string) (map[string]reference, []point) {
	wanted := l.wanted(only)
	need := map[string]bool{}
	for name := range wanted {
		for name != "" {
			sc, err := find(name)
			if err != nil {
				l.t.Fatal(err)
			}
			need[name], name = true, sc.Base
		}
	}
	refs := l.undisturbedAll(func(name string) bool { return need[name] })
	var all []point
	for _, sc := range scenarios() {
		if wanted[sc.Name] {
			all = append(all, refs[sc.Name].points(sc)...)
		}
	}
	return refs, all
}

// wanted are the scenarios that points are taken from: that of the only point,
// those that were asked for, or all.
func (l *lab) wanted(only string) map[string]bool {
	out := map[string]bool{}
	if only != "" {
		p, err := parsePoint(only)
		if err != nil {
			l.t.Fatal(err)
		}
		out[p.Scenario] = true
		return out
	}
	if names := flag.Lookup("scenario").Value.String(); names != "" {
		for name := range strings.SplitSeq(names, ",") {
			out[name] = true
		}
		return out
	}
	for _, sc := range scenarios() {
		out[sc.Name] = true
	}
	return out
}

// undisturbedAll runs scenarios side by side, each when the one that it starts
// from has been run.
func (l *lab) undisturbedAll(wanted func(name string) bool) map[string]reference {
	refs := map[string]reference{}
	done := map[string]chan struct{}{}
	for _, sc := range scenarios() {
		done[sc.Name] = make(chan struct{})
	}
	var mu sync.Mutex
	var runs sync.WaitGroup
	for _, sc := range scenarios() {
		runs.Go(func() {
			defer close(done[sc.Name])
			if !wanted(sc.Name) {
				return
			}
			if sc.Base != "" {
				<-done[sc.Base]
			}
			ref, err := l.undisturbed(sc)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				l.t.Error(err)
				return
			}
			refs[sc.Name] = ref
		})
	}
	runs.Wait()
	if l.t.Failed() {
		l.t.FailNow()
	}
	return refs
}

// sampleSize is how many points a test run takes: as many as fit in a minute.
func sampleSize() int {
	if n, err := strconv.Atoi(flag.Lookup("sample").Value.String()); err == nil && n > 0 {
		return n
	}
	if raceEnabled {
		return 24
	}
	return 72
}

// choose takes the point that was asked for, all, or a sample of a fixed seed
// that has every scenario in it.
func choose(t *testing.T, all []point, only string) []point {
	if only != "" {
		p, err := parsePoint(only)
		if err != nil {
			t.Fatal(err)
		}
		return []point{p}
	}
	if flag.Lookup("all").Value.String() == "true" {
		return part(t, all)
	}
	seed, err := strconv.ParseUint(flag.Lookup("seed").Value.String(), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(seed, 0))
	by := map[string][]point{}
	for _, p := range all {
		by[p.Scenario] = append(by[p.Scenario], p)
	}
	var out []point
	for len(out) < min(sampleSize(), len(all)) {
		for _, sc := range scenarios() {
			if list := by[sc.Name]; len(list) > 0 {
				i := r.IntN(len(list))
				out = append(out, list[i])
				by[sc.Name] = slices.Delete(list, i, i+1)
			}
		}
	}
	return out
}

// part is what -part says of all points: every nth of them.
func part(t *testing.T, all []point) []point {
	spec := flag.Lookup("part").Value.String()
	if spec == "" {
		return all
	}
	var i, n int
	if _, err := fmt.Sscanf(spec, "%d/%d", &i, &n); err != nil || i < 1 || i > n {
		t.Fatalf("-part %s is not I/N, such as 2/5", spec)
	}
	var out []point
	for at := i - 1; at < len(all); at += n {
		out = append(out, all[at])
	}
	return out
}
