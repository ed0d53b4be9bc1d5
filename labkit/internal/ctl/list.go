package ctl

import (
	"fmt"
	"strings"

	"icm/labkit/internal/cpf"
	"icm/labkit/internal/registry"
)

func setting(inst registry.Instance, section, key string) string {
	f, err := cpf.Load(inst.CPFPath())
	if err != nil {
		return ""
	}
	return f.Get(section, key)
}

func listInstance(env Env) func(int, registry.Instance) {
	return func(n int, inst registry.Instance) {
		if n > 0 {
			fmt.Fprintln(env.Out)
		}
		fmt.Fprint(env.Out, List(inst, "Configuration"))
	}
}

// List describes an instance in the words of its era. The installer calls
// the same thing "IRIS instance".
func List(inst registry.Instance, title string) string {
	rel, s := installed(inst), look(inst)
	super, web := ports(inst)
	var b strings.Builder
	line := func(name, value string) { fmt.Fprintf(&b, "\t%-14s%s\n", name, value) }
	mark := ""
	if inst.Default {
		mark = "   (default)"
	}
	fmt.Fprintf(&b, "%s '%s'%s\n", title, inst.Name, mark)
	line("directory:", inst.Dir)
	line("versionid:", rel.Version)
	line("datadir:", inst.Dir)
	if rel.NewList() {
		if web == "" {
			web = "0"
		}
		line("conf file:", fmt.Sprintf("%s  (WebServer port = %s)", inst.CPF, web))
	} else {
		line("conf file:", fmt.Sprintf("%s  (SuperServer port = %s, WebServer = %s)", inst.CPF, super, web))
	}
	line("status:", statusText(s))
	if s.Health != "" {
		if rel.NewList() {
			line("SuperServers:", super)
		}
		if s.MirrorType != "" {
			line("mirroring:", fmt.Sprintf("Member Type = %s; Status = %s", s.MirrorType, s.MirrorStatus))
		}
		line("state:", s.Health)
	}
	line("product:", "InterSystems IRIS")
	return b.String()
}

// Qlist is the line for programs: 8 to 14 fields, by era and state.
func Qlist(inst registry.Instance) string {
	rel, s := installed(inst), look(inst)
	super, web := ports(inst)
	jdbc := "53773"
	if rel.Format() == 1 {
		jdbc = "62972"
	}
	if rel.NewList() {
		jdbc = ""
	}
	f := []string{inst.Name, inst.Dir, rel.Version, statusText(s), inst.CPF, super, web, jdbc, s.Health, "IRIS",
		s.MirrorType, s.MirrorStatus, inst.Dir}
	if rel.Format() == 1 && s.Health == "" {
		f = f[:10] // old kits say nothing of mirrors while down
	}
	if rel.NewList() {
		f = append(f, super)
	}
	return strings.Join(f, "^")
}

func allLine(inst registry.Instance) string {
	short := map[string]string{"running": "up", "down": "dn", "crashed": "", "sign-on inhibited": "st", "stopping": "st"}
	super, _ := ports(inst)
	return fmt.Sprintf("%-2s  %-16s  %-16s %-6s %s", short[look(inst).Status], inst.Name, installed(inst).Version, super, inst.Dir)
}
