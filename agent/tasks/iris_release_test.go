package tasks

import (
	"context"
	"slices"
	"strings"
	"testing"

	"icm/agent/engine/enginetest"
	"icm/agent/iris"
	"icm/agent/unit"
	"icm/internal/kind"
)

func TestAReleasedInstanceLosesItsServiceAndIsNotStopped(t *testing.T) {
	ctx := context.Background()
	d, units := rootDir(t, nil)
	release := Kinds(d)[kind.IRISRelease]
	name, text := iris.UnitName("WARD"), unit.Marker+"[Service]\n"
	env := enginetest.NewEnv(nil)
	task := env.Task(t, kind.IRISRelease, kind.Instance{Name: "WARD"})

	l, err := release.Look(ctx, task)
	if err != nil || !l.Satisfied {
		t.Fatalf("without a service: %+v, %v", l, err)
	}
	units.files[name], units.enabled[name], units.active[name] = text, true, true
	if l, err = release.Look(ctx, task); err != nil || l.Satisfied {
		t.Fatalf("with a service of icm's: %+v, %v", l, err)
	}
	for range 2 { // done, and run again
		must(t, release.Do(ctx, task))
		if _, there := units.files[name]; there || units.enabled[name] || !units.active[name] {
			t.Errorf("afterwards: there %v, enabled %v, active %v", there, units.enabled[name], units.active[name])
		}
	}
	if slices.ContainsFunc(units.calls, func(c string) bool { return strings.HasPrefix(c, "stop") }) {
		t.Errorf("systemd was asked to %v", units.calls)
	}
	must(t, release.Undo(ctx, task))
	if units.files[name] != text || !units.enabled[name] {
		t.Errorf("undone: %q, enabled %v", units.files[name], units.enabled[name])
	}
}

func TestAServiceOfTheSiteIsNotReleased(t *testing.T) {
	ctx := context.Background()
	d, units := rootDir(t, nil)
	release := Kinds(d)[kind.IRISRelease]
	name := iris.UnitName("WARD")
	units.files[name] = "[Service]\n"
	task := enginetest.NewTask(t, kind.IRISRelease, kind.Instance{Name: "WARD"})
	if l, err := release.Look(ctx, task); err != nil || !l.Satisfied {
		t.Errorf("the look says %+v, %v", l, err)
	}
	must(t, release.Do(ctx, task))
	must(t, release.Undo(ctx, task))
	if units.files[name] != "[Service]\n" {
		t.Error("it was changed")
	}
}
