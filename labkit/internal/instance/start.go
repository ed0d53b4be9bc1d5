package instance

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"icm/labkit/internal/control"
	"icm/labkit/internal/cpf"
	"icm/labkit/internal/registry"
	"icm/labkit/internal/release"
	"icm/labkit/internal/store"
)

// Options is how irisdb was started.
type Options struct {
	Instance registry.Instance
	CPF      string // another configuration file, empty for the instance's own
	Merge    string // ISC_CPF_MERGE_FILE
	// Progress gets what the user of "iris start" sees.
	Progress io.Writer
	// Ready is called once, when the start is decided.
	Ready func(error)
	// Dial opens all connections, and Agent is the address of the machine's
	// agent; nil and empty outside tests.
	Dial  func(addr string, limit time.Duration) (net.Conn, error)
	Agent string
}

// Run is the life of an instance: start, serve, end.
func Run(o Options) error {
	i, err := start(o)
	o.Ready(err)
	if err != nil {
		return err
	}
	i.crashLater()
	<-i.ended
	return nil
}

// start brings everything up in the order the log of a real start shows.
func start(o Options) (*Instance, error) {
	i := &Instance{reg: o.Instance, ended: make(chan struct{}), faults: control.Faults(o.Instance.Mgr())}
	i.dial, i.agent = o.Dial, o.Agent
	if i.dial == nil {
		i.dial = func(addr string, limit time.Duration) (net.Conn, error) { return net.DialTimeout("tcp", addr, limit) }
	}
	if o.CPF != "" {
		i.reg.CPF = o.CPF
	}
	rel, err := release.Load(o.Instance.Dir)
	if err != nil {
		return nil, err
	}
	i.rel, i.log = rel, &log{mgr: i.mgr(), events: rel.Events()}
	syscall.Umask(0o002)
	if err := i.lock(); err != nil {
		return nil, err
	}
	if i.starts, err = control.CountStart(i.mgr()); err != nil {
		return nil, err
	}
	before := control.LoadState(i.mgr())
	i.state = control.State{PID: os.Getpid(), Status: "sign-on inhibited", Since: time.Now()}
	steps := []func(Options) error{i.checkFaults, i.checkPath, i.configure, i.checkDirectories, i.announce}
	for _, step := range steps {
		if err := step(o); err != nil {
			return nil, i.refuse(before, err)
		}
	}
	if err := i.openData(before); err != nil {
		return nil, i.refuse(before, err)
	}
	if err := i.serve(o); err != nil {
		return nil, i.refuse(before, err)
	}
	return i, nil
}

// configure reads iris.cpf and merges what ISC_CPF_MERGE_FILE names.
func (i *Instance) configure(o Options) error {
	conf, err := cpf.Load(i.reg.CPFPath())
	if err != nil {
		return complain("Cannot read configuration file: %v", err)
	}
	if conf.HasSection("Actions") {
		return complaint("Section [Actions] is only legal in a merge file, not in " + i.reg.CPFPath())
	}
	i.conf = conf
	fmt.Fprintf(o.Progress, "Using '%s' configuration file\n\nStarting Control Process\n", filepath.Base(i.reg.CPF))
	if i.security, err = loadSecurity(i.mgr()); err != nil {
		return err
	}
	if o.Merge != "" && i.rel.StartMerge() {
		if merge, ok := i.readMerge(o.Merge, o.Progress); ok {
			i.conf.Merge(merge)
			if err := i.conf.Save(i.reg.CPFPath()); err != nil {
				return err
			}
			o.Merge = ""
		}
	}
	return nil
}

// announce writes the memory lines public scripts parse, and the start record.
func (i *Instance) announce(o Options) error {
	buffers := 32
	for n, part := range strings.Split(i.conf.Get("config", "globals"), ",") {
		if mb, _ := strconv.Atoi(part); n >= 2 && mb > 0 {
			buffers = max(buffers, mb)
		}
	}
	routines, _ := strconv.Atoi(strings.Split(i.conf.Get("config", "routines")+",", ",")[0])
	routines = max(routines, 80)
	total := buffers + routines + 126
	first := fmt.Sprintf("Allocated %dMB shared memory", total)
	second := fmt.Sprintf("%dMB global buffers, %dMB routine buffers", buffers, routines)
	fmt.Fprintf(o.Progress, "%s\n%s\n", first, second)
	if i.rel.Format() >= 2 {
		i.log.write(0, "Generic.Event", first)
		i.log.write(0, "Generic.Event", second+", 64MB journal buffers, 4MB buffer descriptors, 300MB heap, 5MB ECP, 9MB miscellaneous")
	} else {
		i.log.write(0, "", first+": "+second)
	}
	i.log.write(0, "WriteDaemon.UsingWIJFile", "Using WIJ file: "+i.wijDir()+"IRIS.WIJ")
	var uts syscall.Utsname
	syscall.Uname(&uts)
	i.log.write(0, "Generic.Event", fmt.Sprintf("\nStartup of InterSystems IRIS [%s]\n        in ../bin/\n        with mgr: %s\n        with wij: %s\n        from: %s\n"+
		"  OS=[Linux], version=[%s], release=[%s], machine=[%s]\n  nodename=[%s].\n  System Initialized.",
		i.rel.ZVersion(), i.mgr(), i.wijDir()+"IRIS.WIJ", i.mgr()+"/", text(uts.Version), text(uts.Release), text(uts.Machine), hostname()))
	return nil
}

func text(raw [65]int8) string {
	var b strings.Builder
	for _, c := range raw {
		if c == 0 {
			break
		}
		b.WriteByte(byte(c))
	}
	return b.String()
}

// openData mounts the databases and brings them up to date from the journals.
func (i *Instance) openData(before control.State) error {
	limit, _ := strconv.ParseInt(i.conf.Get("Journal", "FileSizeLimit"), 10, 64)
	i.set = store.NewSet(&store.Journal{Dir: i.conf.Get("Journal", "CurrentDirectory"), Alternate: i.conf.Get("Journal", "AlternateDirectory"),
		Format: i.rel.Format(), Limit: limit << 20})
	abnormal := before.Status != "" && before.Status != "down"
	if abnormal {
		i.log.write(1, "Generic.Event", "Previous system shutdown was abnormal, "+before.Status+" since "+before.Since.Format("01/02/2006 15:04:05"))
	}
	if err := store.WriteWIJ(i.wijDir(), i.rel.Format(), false); err != nil {
		return err
	}
	i.log.write(0, "WriteDaemon.Started", "Write daemon started.")
	if err := i.mountAll(); err != nil {
		return err
	}
	missing, err := i.set.Recover()
	if err != nil {
		return complain("Journal restore failed: %v", err)
	}
	if abnormal || missing > 0 {
		i.log.write(0, "Journal.Event", fmt.Sprintf("Journal restore finished: %d records restored", missing))
	} else {
		i.set.Journal.Purge(2)
	}
	if err := i.set.Journal.Start(); err != nil {
		return err
	}
	i.log.write(0, "Journal.Event", "Journaling started to "+i.set.Journal.Current())
	return nil
}

// mountAll mounts the system database, which must be sound, and all others.
func (i *Instance) mountAll() error {
	for n, p := range i.conf.Section("Databases") {
		dir, rest, _ := strings.Cut(p.Value, ",")
		if server, _, _ := strings.Cut(rest, ","); server != "" {
			continue
		}
		_, err := i.set.Mount(dir)
		var tooNew *store.FormatError
		switch {
		case err == nil:
			i.log.write(0, "Database.MountedRW", fmt.Sprintf("Mounted database %s (SFN %d) read-write.", slashed(dir), n))
		case errors.As(err, &tooNew), strings.EqualFold(p.Key, "IRISSYS"):
			return complain("Cannot mount database %s: %v", p.Key, err)
		default:
			i.alert(2, "Database.MountFailed", fmt.Sprintf("Cannot mount database %s (%s): %v", p.Key, dir, err))
		}
	}
	return nil
}

// serve opens ports and control socket and lets users in.
func (i *Instance) serve(o Options) error {
	i.ecp, i.mirror = newECP(i), newMirror(i)
	i.set.Epoch, i.set.Shipped = i.mirror.epoch, i.mirror.ship
	super, err := net.Listen("tcp", net.JoinHostPort(i.conf.Get("Startup", "DefaultPortBindAddress"), i.conf.Get("Startup", "DefaultPort")))
	if err != nil {
		return complain("Superserver port %s is in use: %v", i.conf.Get("Startup", "DefaultPort"), err)
	}
	i.listeners = append(i.listeners, super)
	socket, err := control.Listen(i.mgr())
	if err != nil {
		return complain("Cannot open control socket: %v", err)
	}
	i.listeners = append(i.listeners, socket)
	i.startWeb()
	i.readLicense()
	i.sharding = i.conf.Get("Startup", "EnableSharding") == "1" && i.license.sharding
	i.startLicenseServer()
	i.applyPasswordHash()
	i.startActions(o)
	i.mirror.start()
	go i.serveSuperServer(super)
	i.accepting = time.Now().Add(i.faultDuration("signon-delay-ms", 300*time.Millisecond))
	go i.serveControl(socket)
	i.pause(i.faultDuration("running-delay-ms", 0))
	i.setState(func(s *control.State) {
		s.Status, s.Since, s.Health = "running", time.Now(), "ok"
		s.SuperServer = i.conf.Get("Startup", "DefaultPort")
	})
	i.setHealth()
	go i.watch()
	i.log.write(0, "Generic.Event", "Enabling logons")
	fmt.Fprintln(o.Progress, "IRIS startup successful.")
	return nil
}

func (i *Instance) setHealth() {
	h := i.health()
	i.setState(func(s *control.State) { s.Health = h })
}

// watch keeps data synced and health published.
func (i *Instance) watch() {
	for i.pause(2 * time.Second) {
		if err := i.set.Sync(); err != nil {
			i.alert(2, "WriteDaemon.Error", "Write daemon: "+err.Error())
		}
		if h := i.health(); h != control.LoadState(i.mgr()).Health {
			i.setHealth()
		}
	}
}

func (i *Instance) applyPasswordHash() {
	hash := i.get("Startup", "PasswordHash")
	var applied bool
	err := i.withSecurity(func(s *security) (err error) {
		applied, err = s.applyHash(hash)
		return err
	})
	switch {
	case err != nil:
		i.alert(2, "Security.Event", "PasswordHash: "+err.Error())
	case applied:
		i.log.write(0, "Security.Event", "Passwords of the predefined accounts were set from PasswordHash")
	}
}

// crashLater dies without ado when the fault file says so.
func (i *Instance) crashLater() {
	after := i.fault("crash-after-ms")
	if after <= 0 {
		return
	}
	go func() {
		if i.pause(time.Duration(after) * time.Millisecond) {
			i.log.write(3, "Generic.Event", "Access violation in stand-in control process (fault crash-after-ms)")
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	}()
}

// stop ends the instance cleanly.
func (i *Instance) stop(noFailover bool) error {
	i.setState(func(s *control.State) { s.Status, s.Since = "stopping", time.Now() })
	i.log.write(0, "Generic.Event", "Shutdown of stand-in for InterSystems IRIS requested")
	i.pause(i.faultDuration("stop-delay-ms", 0))
	i.mirror.stop(noFailover)
	for _, l := range i.listeners[:1] { // the control socket answers to the end
		l.Close()
	}
	if i.packet != nil {
		i.packet.Close()
	}
	if i.fault("dirty-stop") != 0 {
		i.log.write(2, "Generic.Event", "Shutdown ended before the databases were written (fault dirty-stop)")
		return errDirty
	}
	if err := i.set.Close(); err != nil {
		i.alert(2, "Generic.Event", "Shutdown: "+err.Error())
		return err
	}
	if err := store.WriteWIJ(i.wijDir(), i.rel.Format(), true); err != nil {
		return err
	}
	i.log.write(0, "", "Journal restore not required at next startup")
	i.log.write(0, "", "Transaction rollback not required at next startup")
	i.setState(func(s *control.State) { *s = control.State{Status: "down", Since: time.Now()} })
	return nil
}

// errDirty is a stop after which the next start has to restore the journal.
var errDirty = errors.New("shutdown was not clean; see messages.log")

// shutDown stops the instance and ends its process.
func (i *Instance) shutDown(noFailover bool) error {
	err := i.stop(noFailover)
	if err == nil || errors.Is(err, errDirty) {
		i.lockFile.Close() // whoever reads the answer finds the instance down
	}
	i.end()
	return err
}

func (i *Instance) end() { i.endOnce.Do(func() { close(i.ended) }) }
