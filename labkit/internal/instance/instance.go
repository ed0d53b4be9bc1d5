package instance

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"icm/labkit/internal/control"
	"icm/labkit/internal/cpf"
	"icm/labkit/internal/registry"
	"icm/labkit/internal/release"
	"icm/labkit/internal/store"
)

// Instance is one running instance.
type Instance struct {
	reg    registry.Instance
	rel    release.Release
	log    *log
	faults map[string]string

	mu       sync.Mutex // guards what follows
	conf     *cpf.File
	state    control.State
	security *security
	alerts   int

	set       *store.Set
	license   *license
	sharding  bool // was enabled when the instance started
	starts    int  // since it was installed
	ecp       *ecp
	mirror    *mirror
	dial      func(addr string, limit time.Duration) (net.Conn, error)
	proven    sync.Map // passwords that were right
	agent     string   // address of this machine's agent, empty for the usual one
	listeners []net.Listener
	packet    net.PacketConn
	accepting time.Time // sessions are refused before
	ended     chan struct{}
	endOnce   sync.Once

	// lockFile stays open for as long as the process lives; were it garbage
	// collected, the lock would go with it.
	lockFile *os.File
}

func (i *Instance) mgr() string { return i.reg.Mgr() }

// fault returns a number of milliseconds or a flag from the fault file.
func (i *Instance) fault(name string) int {
	n, _ := strconv.Atoi(i.faults[name])
	return n
}

func (i *Instance) faultDuration(name string, missing time.Duration) time.Duration {
	if i.faults[name] == "" {
		return missing
	}
	return time.Duration(i.fault(name)) * time.Millisecond
}

// get reads a setting of the configuration in force.
func (i *Instance) get(section, key string) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.conf.Get(section, key)
}

// put changes the configuration in force and its file.
func (i *Instance) put(section, key, value string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.conf.Set(section, key, value)
	return i.conf.Save(i.reg.CPFPath())
}

func (i *Instance) remove(section, key string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.conf.Delete(section, key)
	return i.conf.Save(i.reg.CPFPath())
}

func (i *Instance) section(name string) []cpf.Pair {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.conf.Section(name)
}

// setState publishes a change of what others may know.
func (i *Instance) setState(change func(*control.State)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change(&i.state)
	if err := i.state.Save(i.mgr()); err != nil {
		i.log.write(2, "Generic.Event", "Cannot write iris.ids: "+err.Error())
	}
}

// health is what the monitor thinks, unless the fault file knows better.
func (i *Instance) health() string {
	if h := control.Faults(i.mgr())["health"]; h != "" {
		return h
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.alerts >= 5:
		return "alert"
	case i.alerts > 0:
		return "warn"
	}
	return "ok"
}

// alert records something an administrator must see.
func (i *Instance) alert(severity int, event, text string) {
	i.log.write(severity, event, text)
	i.log.alert(severity, text)
	i.mu.Lock()
	i.alerts++
	i.mu.Unlock()
}

// directories of the configuration end with a slash; "" stays "".
func slashed(dir string) string {
	if dir == "" {
		return ""
	}
	return filepath.Clean(dir) + "/"
}

func (i *Instance) wijDir() string {
	if d := slashed(i.get("config", "wijdir")); d != "" {
		return d
	}
	return i.mgr() + "/"
}

// receipt is this instance's name under what it did in a reign.
func (i *Instance) receipt(epoch store.Epoch) control.Receipt {
	host := i.get("Startup", "DefaultPortBindAddress")
	if host == "" {
		host = hostname()
	}
	return control.Receipt{Server: host + "/" + i.reg.Name, Start: i.starts, Epoch: epoch}
}

func hostname() string {
	h, _ := os.Hostname()
	h, _, _ = strings.Cut(h, ".")
	return h
}
