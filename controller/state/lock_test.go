package state

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// holdVar makes the test binary a process that holds the lock of a directory
// until its standard input ends, or until it is killed.
const holdVar = "ICM_TEST_HOLD_LOCK"

func TestMain(m *testing.M) {
	if path := os.Getenv(holdVar); path != "" {
		os.Exit(hold(path))
	}
	os.Exit(m.Run())
}

func hold(path string) int {
	d, err := Open(path)
	if err != nil {
		println(err.Error())
		return 1
	}
	lock, err := d.Lock("icm hold", time.Now())
	if err != nil {
		println(err.Error())
		return 1
	}
	if _, err := d.NewOperation("hold", nil, time.Now()); err != nil {
		println(err.Error())
		return 1
	}
	os.Stdout.WriteString("locked\n")
	_, _ = os.Stdin.Read(make([]byte, 1))
	if err := lock.Unlock(); err != nil {
		println(err.Error())
		return 1
	}
	return 0
}

func TestOnlyOneProcessHoldsTheLock(t *testing.T) {
	d := testDir(t)
	other := holder(t, d)
	_, err := d.Lock("icm install", time.Now())
	var locked *LockedError
	if !errors.As(err, &locked) {
		t.Fatalf("error is %v", err)
	}
	if locked.Owner.PID != other.cmd.Process.Pid || !strings.Contains(err.Error(), "icm hold") {
		t.Errorf("it names %+v in: %v", locked.Owner, err)
	}
	other.end(t)
	lock, err := d.Lock("icm install", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if lock.Fence().Number != 2 || lock.Fence().Deployment != d.ID {
		t.Errorf("fence is %+v", lock.Fence())
	}
	if err := lock.Unlock(); err != nil {
		t.Error(err)
	}
}

func TestTheLockOfADeadProcessIsTakenOver(t *testing.T) {
	d := testDir(t)
	holder(t, d).kill(t)
	lock, err := d.Lock("icm install", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if lock.Fence().Number != 2 {
		t.Errorf("fence is %d", lock.Fence().Number)
	}
	ops, err := d.ListOperations()
	if err != nil || len(ops) != 1 || ops[0].State != Interrupted {
		t.Errorf("operations are %+v, %v", ops, err)
	}
	if err := lock.Unlock(); err != nil {
		t.Error(err)
	}
}

func TestTheLockOfAnotherMachineIsTakenOnlyByForce(t *testing.T) {
	d := testDir(t)
	alice := Owner{User: "alice", Host: "ops1", PID: 4711, Since: time.Now(), Command: "icm install"}
	if err := d.writeLock(record{Format: lockFormat, Fence: 7, Owner: &alice}); err != nil {
		t.Fatal(err)
	}
	_, err := d.Lock("icm stop", time.Now())
	var locked *LockedError
	if !errors.As(err, &locked) || !strings.Contains(err.Error(), "held by alice@ops1, pid 4711, since ") {
		t.Fatalf("error is %v", err)
	}
	old, err := d.ForceUnlock("icm unlock", time.Now())
	if err != nil || old.User != "alice" {
		t.Fatalf("took it from %+v, %v", old, err)
	}
	lock, err := d.Lock("icm stop", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if lock.Fence().Number <= 7 {
		t.Errorf("fence is %d: alice's nodes would not refuse her", lock.Fence().Number)
	}
	forced, err := d.ForcedUnlocks()
	if err != nil || len(forced) != 1 || forced[0].From.User != "alice" || forced[0].By.PID != os.Getpid() {
		t.Errorf("recorded is %+v, %v", forced, err)
	}
	if err := lock.Unlock(); err != nil {
		t.Error(err)
	}
}

func TestALockThatWasTakenAwayIsNotGivenBack(t *testing.T) {
	d := testDir(t)
	first, err := d.Lock("icm install", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.ForceUnlock("icm unlock", time.Now()); err != nil {
		t.Fatal(err)
	}
	second, err := d.Lock("icm stop", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Check(); err == nil {
		t.Error("the first lock still counts")
	}
	if err := first.Unlock(); err == nil {
		t.Error("giving the first lock back is no error")
	}
	if err := second.Check(); err != nil {
		t.Errorf("it took the second lock with it: %v", err)
	}
	if err := second.Unlock(); err != nil {
		t.Error(err)
	}
}

func TestANewersLockIsRefused(t *testing.T) {
	d := testDir(t)
	if err := d.writeLock(record{Format: lockFormat + 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lock("icm stop", time.Now()); err == nil || !strings.Contains(err.Error(), "knows formats up to 1") {
		t.Errorf("error is %v", err)
	}
}

func testDir(t *testing.T) *Dir {
	t.Helper()
	d, err := Create(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// other is a process that holds the lock.
type other struct {
	cmd  *exec.Cmd
	stop func() error
}

func holder(t *testing.T, d *Dir) other {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), holdVar+"="+d.Path)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "locked\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	return other{cmd, stdin.Close}
}

func (o other) end(t *testing.T) {
	t.Helper()
	if err := errors.Join(o.stop(), o.cmd.Wait()); err != nil {
		t.Fatal(err)
	}
}

func (o other) kill(t *testing.T) {
	t.Helper()
	if err := o.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := o.cmd.Wait(); err == nil {
		t.Fatal("a killed process ended well")
	}
}
