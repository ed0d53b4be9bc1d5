package instance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"icm/labkit/internal/control"
)

// refuse ends a start that cannot go on, leaving the state as it was found.
func (i *Instance) refuse(before control.State, err error) error {
	i.log.write(3, "Generic.Event", err.Error())
	i.log.write(2, "Generic.Event", "Startup of stand-in for InterSystems IRIS aborted.")
	for _, l := range i.listeners {
		l.Close()
	}
	if before.Status == "" {
		before = control.State{Status: "down", Since: time.Now()}
	}
	before.Save(i.mgr())
	return err
}

// complaint is a sentence of messages.log in the product's own words, which
// begin with capitals and end with stops.
type complaint string

func (c complaint) Error() string { return string(c) }

func complain(format string, args ...any) error { return complaint(fmt.Sprintf(format, args...)) }

// lock takes the instance's lock for the life of this process.
func (i *Instance) lock() error {
	f, err := os.OpenFile(control.LockPath(i.mgr()), os.O_CREATE|os.O_RDWR, 0o664)
	if err != nil {
		return complain("Cannot open lock file: %v", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return errors.New(i.reg.Name + " is already up!")
	}
	i.lockFile = f
	return nil
}

func (i *Instance) checkFaults(Options) error {
	if text := i.faults["precheck"]; text == "fail" {
		return complain("Error: OS Package Requirements Check Failed.")
	}
	if i.fault("crash-on-start") != 0 {
		i.state.Save(i.mgr())
		i.log.write(3, "Generic.Event", "Access violation in stand-in control process (fault crash-on-start)")
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	if text := i.faults["fail-start"]; text != "" {
		return errors.New(text)
	}
	i.pause(i.faultDuration("start-delay-ms", 0))
	return nil
}

// checkPath makes sure the owner and the group of the instance can reach the
// manager directory. Root reaches everything.
func (i *Instance) checkPath(Options) error {
	if os.Geteuid() == 0 {
		return nil
	}
	for dir := i.mgr(); dir != "/"; dir = filepath.Dir(dir) {
		st, err := os.Stat(dir)
		if err != nil || !groupMay(st, 0o5) {
			return complain("Element of path manager_subdirectory could not be read (errno 2).")
		}
	}
	return nil
}

// groupMay says whether this process's group has the rights in want.
func groupMay(st os.FileInfo, want os.FileMode) bool {
	sys := st.Sys().(*syscall.Stat_t)
	if st.Mode().Perm()&want == want {
		return true
	}
	return int(sys.Gid) == os.Getegid() && st.Mode().Perm()>>3&want == want
}

// checkDirectories refuses journal and WIJ directories that are missing or
// that owner and group cannot write.
func (i *Instance) checkDirectories(Options) error {
	dirs := []struct{ what, dir string }{
		{"Journal directory", slashed(i.conf.Get("Journal", "CurrentDirectory"))},
		{"Alternate journal directory", slashed(i.conf.Get("Journal", "AlternateDirectory"))},
		{"WIJ directory", i.wijDir()},
	}
	for _, d := range dirs {
		if d.dir == "" {
			continue
		}
		st, err := os.Stat(d.dir)
		if err != nil || !st.IsDir() {
			return complain("%s %s does not exist", d.what, d.dir)
		}
		if os.Geteuid() != 0 && (!groupMay(st, 0o7) || syscall.Access(d.dir, 7) != nil) {
			return complain("%s %s is not writable by the instance owner and group", d.what, d.dir)
		}
	}
	return nil
}
