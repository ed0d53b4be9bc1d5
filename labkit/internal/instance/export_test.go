package instance

import (
	"os"
	"path/filepath"
	"testing"

	"icm/labkit/internal/control"
)

// What tests of clients need of the machines.

type Machine = machine

// Pair is a mirror of two with the database APP.
func Pair(t *testing.T) (cut func(bool), a, b *Machine) {
	n, a, b := pair(t, "")
	return func(on bool) { n.set(a.addr, b.addr, on) }, a, b
}

// ApplicationServer is a machine with the namespace APP of a mirror.
func ApplicationServer(t *testing.T, members ...*Machine) *Machine {
	data := members[0]
	h := newMachine(t, data.n, era)
	h.start()
	for _, m := range append(members, h) {
		m.run("%SYS", `kill s set s("Enabled")=1 set sc=##class(Security.Services).Modify("%Service_ECP",.s)`)
	}
	must(t, h.i.put("ECPServers", "DATA", data.addr+","+data.port()+",1"))
	must(t, h.i.put("Databases", "APP", ":mirror:MIR:APP,DATA"))
	must(t, h.i.put("Namespaces", "APP", "APP"))
	return h
}

func (h *machine) Start()                { h.start() }
func (h *machine) Stop()                 { h.stop() }
func (h *machine) Crash()                { h.crash() }
func (h *machine) Becomes(status string) { h.becomes(status) }
func (h *machine) Misbehave(f string)    { h.misbehave(f) }
func (h *machine) Addr() string          { return h.addr + ":" + h.port() }
func (h *machine) Host() string          { return h.addr }
func (h *machine) Port() string          { return h.port() }

// Reigns is what the machine wrote down of split brains.
func (h *machine) Reigns() string {
	data, _ := os.ReadFile(filepath.Clean(control.ReignsPath(h.reg.Mgr())))
	return string(data)
}

// Eventually waits for a condition.
func (h *machine) Eventually(what string, holds func() bool) { h.t.Helper(); h.eventually(what, holds) }
