package monitor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"icm/agent/host"
	"icm/agent/iris"
	"icm/internal/kind"
	"icm/internal/wire"
)

// checkUnits tells services that failed: those of instances, and those without
// which nobody gets in or a mirror does not work. Others are not icm's to judge.
func checkUnits(ctx context.Context, v *view) error {
	failed, err := v.Units.Failed(ctx)
	if err != nil {
		return err
	}
	for _, name := range failed {
		if !v.needed(name) {
			continue
		}
		v.add(CheckUnit, name, wire.SeverityAlert, name+" has failed", name)
	}
	return nil
}

// neededUnits are services of the system that an instance or icm relies on.
var neededUnits = []string{
	"ISCAgent.service", "icm-agent.service", "ssh.service", "sshd.service", "ssh.socket", "systemd-logind.service",
	"systemd-timesyncd.service", "chronyd.service", "chrony.service", "ntpd.service", "ntp.service", "apache2.service", "httpd.service",
}

func (v *view) needed(name string) bool {
	if slices.Contains(neededUnits, name) || strings.HasPrefix(name, "iris-") {
		return true
	}
	text, err := v.readFile("/etc/systemd/system/" + name) // mounts of ours, among others
	return err == nil && strings.HasPrefix(text, unitMarker)
}

// checkInstances compares what qlist says with what was last asked of the
// instance.
func checkInstances(ctx context.Context, v *view) error {
	if v.listErr != nil {
		v.add(CheckInstance, "qlist", wire.SeverityAlert, "iris qlist gives no answer: "+v.listErr.Error(), "check")
		return nil
	}
	for _, in := range v.instances {
		if err := v.checkInstance(ctx, in); err != nil {
			return err
		}
	}
	for _, k := range v.mem.Kept {
		gone := !slices.ContainsFunc(v.instances, func(in wire.Instance) bool { return strings.EqualFold(in.Name, k.Instance) })
		if k.Task.Kind == kind.IRISInstall && gone {
			v.add(CheckInstance, k.Instance, wire.SeverityAlert, k.Instance+" was installed here, and iris qlist does not know it", "install")
		}
	}
	return nil
}

func (v *view) checkInstance(ctx context.Context, in wire.Instance) error {
	switch {
	case iris.Running(in):
	case iris.Down(in) && v.stopped(in.Name):
		return nil // as it was asked to be
	default:
		st, err := v.Units.Status(ctx, iris.UnitName(in.Name))
		if err != nil {
			return err
		}
		if st.Active == "activating" || st.Active == "deactivating" {
			return nil // systemd is at it
		}
		v.add(CheckInstance, in.Name, wire.SeverityAlert, fmt.Sprintf("%s is %s%s", in.Name, in.Status, since(in)), "start")
		return nil
	}
	switch in.Health {
	case "warn":
		v.add(CheckHealth, in.Name, wire.SeverityWarn, in.Name+" reports health warn")
	case "alert", "hung":
		v.add(CheckHealth, in.Name, wire.SeverityAlert, in.Name+" reports health "+in.Health)
	}
	return nil
}

func since(in wire.Instance) string {
	if in.Since == "" {
		return ""
	}
	return ", " + in.Since
}

// stopped reports whether icm was last asked to stop the instance.
func (v *view) stopped(name string) bool {
	k, ok := v.mem.Kept["power "+strings.ToUpper(name)]
	return ok && k.Task.Kind == kind.IRISStop
}

// mirrorWell are the words of a member that does what it should.
var mirrorWell = []string{"primary", "backup", "connected"}

// mirrorBad are those of one that takes no part.
var mirrorBad = []string{"down", "crashed", "stopped", "not initialized"}

// checkMirrors tells members that are neither primary nor backup nor connected.
func checkMirrors(_ context.Context, v *view) error {
	for _, in := range v.instances {
		word := strings.ToLower(in.MirrorStatus)
		if in.MirrorType == "" || strings.EqualFold(in.MirrorType, "Not Member") || !iris.Running(in) || slices.Contains(mirrorWell, word) {
			continue
		}
		severity := wire.SeverityWarn
		if slices.Contains(mirrorBad, word) {
			severity = wire.SeverityAlert
		}
		v.add(CheckMirror, in.Name, severity, fmt.Sprintf("%s, a mirror member (%s), is %s", in.Name, in.MirrorType, orNone(in.MirrorStatus)), iris.MessagesLog(in))
	}
	return nil
}

func orNone(s string) string {
	if s == "" {
		return "without a status"
	}
	return s
}

// checkLag asks members how far behind they are. One that asks for a password
// is not asked again: its status is in qlist.
func checkLag(ctx context.Context, v *view) error {
	for _, in := range v.instances {
		if in.MirrorType == "" || strings.EqualFold(in.MirrorType, "Not Member") || !iris.Running(in) || strings.EqualFold(in.MirrorStatus, "Primary") {
			continue
		}
		s, err := v.IRIS.MirrorState(ctx, in)
		switch {
		case errors.Is(err, iris.ErrLogin):
		case err != nil:
			return err
		case !s.CaughtUp && s.Transfer+s.Dejournal != "":
			v.add(CheckLag, in.Name, wire.SeverityWarn, fmt.Sprintf("%s is behind in its mirror: transfer %q, dejournaling %q", in.Name, s.Transfer, s.Dejournal))
		}
	}
	return nil
}

// checkPorts tells instances that run and do not listen.
func checkPorts(_ context.Context, v *view) error {
	var ports map[int]bool
	for _, in := range v.instances {
		first, _, _ := strings.Cut(in.SuperServer, ",")
		port, err := strconv.Atoi(strings.TrimSpace(first))
		if err != nil || port == 0 || !iris.Running(in) {
			continue
		}
		if ports == nil {
			if ports, err = host.Listening(v.Root); err != nil {
				return err
			}
		}
		if !ports[port] {
			v.add(CheckPort, in.Name, wire.SeverityAlert, fmt.Sprintf("%s runs, and nobody listens on its superserver port %d", in.Name, port))
		}
	}
	return nil
}
