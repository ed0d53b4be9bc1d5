package tasks

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"icm/agent/engine"
	"icm/agent/host"
	"icm/agent/iris"
	"icm/internal/wire"
)

// A kit puts more on a machine than its installation directory: the iris
// command, the registry, the ISCAgent and its account. All instances share
// them. What was not there before the first installation goes with the last
// instance.

const (
	agentService = "ISCAgent.service"
	agentAccount = "iscagent"
)

// sharedByKits are the paths, in the order in which they are removed: the
// registry last, because it tells whether an instance is left.
var sharedByKits = []string{
	"/etc/init.d/ISCAgent", "/etc/systemd/system/" + agentService, "/etc/iscagent",
	"/usr/bin/iris", "/usr/local/etc/irissys",
}

// absent lists what of it is not on the machine now.
func (d Deps) absent() ([]string, error) {
	var out []string
	for _, path := range sharedByKits {
		if !exists(d.path(path)) {
			out = append(out, path)
		}
	}
	for _, path := range []string{"/usr/local/etc"} {
		if !exists(d.path(path)) {
			out = append(out, path)
		}
	}
	_, found, err := host.FindAccount(d.Root, agentAccount)
	if err == nil && !found {
		out = append(out, "account "+agentAccount)
	}
	return out, err
}

// removeBrought removes what an installation brought besides its directory,
// when no instance is left that needs it.
func (d Deps) removeBrought(ctx context.Context, t *engine.Task, rec iris.Record) error {
	left, err := d.IRIS.List(ctx)
	if err != nil {
		return err
	}
	if len(rec.Brought) == 0 {
		return nil
	}
	if len(left) > 0 {
		return d.passBrought(rec, left)
	}
	if slices.Contains(rec.Brought, "/etc/systemd/system/"+agentService) {
		if err := d.stopISCAgent(ctx); err != nil {
			return err
		}
	}
	for _, path := range sharedByKits {
		if !slices.Contains(rec.Brought, path) || !exists(d.path(path)) {
			continue
		}
		t.Logf("removing %s, which came with the kit", path)
		if err := os.RemoveAll(d.path(path)); err != nil {
			return fmt.Errorf("cannot remove %s: %v", path, err)
		}
	}
	if slices.Contains(rec.Brought, "/usr/local/etc") {
		_ = os.Remove(d.path("/usr/local/etc")) // somebody else may use it by now
	}
	if slices.Contains(rec.Brought, "account "+agentAccount) {
		if err := d.removeAgentAccount(ctx); err != nil {
			return err
		}
	}
	return d.Units.Reload(ctx)
}

// passBrought lets another instance of ours remember what this one brought, so
// that it goes with the last of them.
func (d Deps) passBrought(rec iris.Record, left []wire.Instance) error {
	for _, in := range left {
		heir, known, err := d.IRIS.Record(in.Name)
		if err != nil {
			return err
		}
		if !known || strings.EqualFold(in.Name, rec.Name) {
			continue
		}
		for _, b := range rec.Brought {
			if !slices.Contains(heir.Brought, b) {
				heir.Brought = append(heir.Brought, b)
			}
		}
		return d.IRIS.Remember(heir)
	}
	return nil
}

func (d Deps) stopISCAgent(ctx context.Context) error {
	st, err := d.Units.Status(ctx, agentService)
	if err != nil || !exists(d.path("/etc/systemd/system/"+agentService)) {
		return err
	}
	if st.Active == "active" {
		if err := d.Units.Stop(ctx, agentService); err != nil {
			return err
		}
	}
	return d.Units.Disable(ctx, agentService)
}

func (d Deps) removeAgentAccount(ctx context.Context) error {
	if _, found, err := host.FindAccount(d.Root, agentAccount); err != nil || !found {
		return err
	}
	if _, err := host.RemoveAccount(d.Root, agentAccount).Run(ctx); err != nil {
		return fmt.Errorf("cannot delete account %s: %w", agentAccount, err)
	}
	_, found, err := host.FindGroup(d.Root, agentAccount)
	if err != nil || !found {
		return err // userdel took it along
	}
	if _, err := host.RemoveGroup(d.Root, agentAccount).Run(ctx); err != nil {
		return fmt.Errorf("cannot delete group %s: %w", agentAccount, err)
	}
	return nil
}
