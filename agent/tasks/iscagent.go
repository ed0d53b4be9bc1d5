package tasks

import (
	"context"
	"fmt"
	"os"
	"strings"

	"icm/agent/engine"
	"icm/agent/iris"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/kitname"
	"icm/internal/wire"
)

// The agent itself does not tell its version where it could be asked, so what
// was installed is marked under this name.
const (
	agentMark    = "iscagent"
	agentProgram = "/usr/local/etc/irissys/ISCAgent"
)

func agentInstall(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookAgentInstall, Do: d.doAgentInstall, Undo: d.undoAgentInstall}
}

// installedAgent is the version of the ISCAgent that a kit of its own brought;
// "another" for one that came otherwise, "" for none.
func (d Deps) installedAgent() (string, error) {
	if !exists(d.path(agentProgram)) {
		return "", nil
	}
	v, err := d.IRIS.Marking(agentMark, "installed ")
	return first(v, "another"), err
}

func (d Deps) lookAgentInstall(_ context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.ISCAgent
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	have, err := d.installedAgent()
	if err != nil {
		return wire.Look{}, err
	}
	diff := []wire.Diff{{What: "ISCAgent", Before: first(have, "not there"), After: a.Version}}
	if have != "" && have != "another" && kitname.Compare(have, a.Version) >= 0 {
		return wire.Look{Satisfied: true}, nil // agents may be newer than the members they serve
	}
	return wire.Look{Diffs: diff}, nil
}

// doAgentInstall runs the installer of an ISCAgent kit.
//
// Rerun: installs over what is there; the installer allows it.
// Undo: uninstalls the agent, if there was none before.
func (d Deps) doAgentInstall(ctx context.Context, t *engine.Task) error {
	var a kind.ISCAgent
	if err := t.Decode(&a); err != nil {
		return err
	}
	have, err := d.installedAgent()
	if err != nil || have == a.Version {
		return err
	}
	absent, err := d.absent()
	if err != nil {
		return err
	}
	if err := once(t, "begun", func() error { return t.Note("absent", absent) }); err != nil {
		return err
	}
	if _, err := t.Load("absent", &absent); err != nil {
		return err
	}
	// For iscagent.remove, long after this change has been forgotten.
	_, known, err := d.IRIS.Record(agentMark)
	if err == nil && !known && have == "" {
		err = d.IRIS.Remember(iris.Record{Name: agentMark, Brought: absent})
	}
	if err != nil {
		return err
	}
	dir, err := d.kitDir(a.Kit)
	if err != nil {
		return err
	}
	if err := d.IRIS.InstallAgent(ctx, dir, a.Kit.Platform, logLine(t)); err != nil {
		return err
	}
	if !exists(d.path(agentProgram)) {
		return fmt.Errorf("cannot install the ISCAgent: the installer says it succeeded, but %s is not there", agentProgram)
	}
	return d.IRIS.Mark(agentMark, "installed "+a.Version, "installed ")
}

func (d Deps) undoAgentInstall(ctx context.Context, t *engine.Task) error {
	var absent []string
	if _, err := t.Load("absent", &absent); err != nil || len(absent) == 0 {
		return err
	}
	return d.removeAgent(ctx, t)
}

// removeAgent removes what the agent's kit brought, when no instance needs it.
func (d Deps) removeAgent(ctx context.Context, t *engine.Task) error {
	rec, known, err := d.IRIS.Record(agentMark)
	if err != nil {
		return err
	}
	if known {
		if err := d.removeBrought(ctx, t, rec); err != nil {
			return err
		}
	}
	return d.IRIS.Forget(agentMark)
}

func agentRemove(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookAgentRemove, Do: d.doAgentRemove}
}

func (d Deps) lookAgentRemove(ctx context.Context, _ *engine.Task) (wire.Look, error) {
	_, known, err := d.IRIS.Record(agentMark)
	if err != nil || !known {
		return wire.Look{Satisfied: true}, err // not ours
	}
	have, err := d.installedAgent()
	if err != nil {
		return wire.Look{}, err
	}
	return wire.Look{Diffs: []wire.Diff{{What: "ISCAgent", Before: first(have, "left over"), After: "removed"}}}, nil
}

// doAgentRemove uninstalls the ISCAgent that icm brought with a kit of its own.
// One that an instance on the node needs stays with that.
//
// Rerun: removes what is left.
// Undo: none; what is deleted is gone.
func (d Deps) doAgentRemove(ctx context.Context, t *engine.Task) error {
	return d.removeAgent(ctx, t)
}

// agentConf is the configuration of the ISCAgent.
const agentConf = "/etc/iscagent/iscagent.conf"

const agentPortKey = "application_server.port"

func agentRun(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookAgentRun, Do: d.doAgentRun, Undo: d.undoAgentRun}
}

// agentPort is where the agent is configured to listen.
func (d Deps) agentPort() (port, text string, err error) {
	text, _, err = readFile(d.path(agentConf))
	if err != nil {
		return "", "", err
	}
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(line, "="); ok && strings.TrimSpace(k) == agentPortKey {
			port = strings.TrimSpace(v)
		}
	}
	return first(port, fmt.Sprint(iris.AgentPort)), text, nil
}

func (d Deps) lookAgentRun(ctx context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.AgentService
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	var diffs []wire.Diff
	have, _, err := d.agentPort()
	if err != nil {
		return wire.Look{}, err
	}
	if want := fmt.Sprint(a.Port); a.Port != 0 && have != want {
		diffs = append(diffs, wire.Diff{What: "port of the ISCAgent", Before: have, After: want})
	}
	st, err := d.Units.Status(ctx, agentService)
	if err != nil {
		return wire.Look{}, err
	}
	if st.File != "enabled" || st.Active != "active" {
		diffs = append(diffs, wire.Diff{What: agentService, Before: st.File + ", " + st.Active, After: "enabled, active"})
	}
	return satisfiedBy(diffs), nil
}

// agentBefore is what iscagent.run found.
type agentBefore struct {
	Enabled bool `json:"enabled"`
	Active  bool `json:"active"`
}

// doAgentRun makes the ISCAgent run, now and after every boot, and waits until
// it answers.
//
// Rerun: sets the same again.
// Undo: gives the service and its configuration back as they were.
func (d Deps) doAgentRun(ctx context.Context, t *engine.Task) error {
	var a kind.AgentService
	if err := t.Decode(&a); err != nil {
		return err
	}
	st, err := d.Units.Status(ctx, agentService)
	if err != nil {
		return err
	}
	if st.Load == "not-found" {
		return &hint.Error{Err: fmt.Errorf("cannot run the ISCAgent: there is no %s on this node", agentService),
			Hint: "it comes with a kit of IRIS or with an ISCAgent kit"}
	}
	if err := once(t, "begun", func() error {
		return t.Note("before", agentBefore{Enabled: st.File == "enabled", Active: st.Active == "active"})
	}); err != nil {
		return err
	}
	changed, err := d.setAgentPort(t, a.Port)
	if err != nil {
		return err
	}
	if err := d.Units.Enable(ctx, agentService); err != nil {
		return err
	}
	if changed && st.Active == "active" {
		err = d.Units.Restart(ctx, agentService)
	} else {
		err = d.Units.Start(ctx, agentService)
	}
	if err != nil {
		return err
	}
	port, _, err := d.agentPort()
	if err != nil {
		return err
	}
	return d.IRIS.UntilAgent(ctx, port, wait(t, 60))
}

// setAgentPort writes the port into the agent's configuration, where it differs.
func (d Deps) setAgentPort(t *engine.Task, port int) (changed bool, err error) {
	have, text, err := d.agentPort()
	if want := fmt.Sprint(port); err != nil || port == 0 || have == want {
		return false, err
	}
	if err := d.keepFile(t, agentConf); err != nil {
		return false, err
	}
	var lines []string
	for line := range strings.Lines(text) {
		if k, _, _ := strings.Cut(line, "="); strings.TrimSpace(k) != agentPortKey {
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
	}
	lines = append(lines, fmt.Sprintf("%s=%d", agentPortKey, port))
	return true, writeFile(d.path(agentConf), strings.Join(lines, "\n")+"\n", 0o644)
}

func (d Deps) undoAgentRun(ctx context.Context, t *engine.Task) error {
	var before agentBefore
	if known, err := t.Load("before", &before); err != nil || !known {
		return err
	}
	if err := d.restoreFile(t, agentConf); err != nil {
		return err
	}
	if _, err := os.Stat(d.path("/etc/systemd/system/" + agentService)); err != nil {
		return nil // it has been uninstalled since
	}
	if !before.Active {
		if err := d.Units.Stop(ctx, agentService); err != nil {
			return err
		}
	} else if err := d.Units.Restart(ctx, agentService); err != nil {
		return err
	}
	if !before.Enabled {
		return d.Units.Disable(ctx, agentService)
	}
	return nil
}
