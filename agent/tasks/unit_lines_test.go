package tasks

import (
	"context"
	"strings"
	"testing"

	"icm/agent/engine/enginetest"
	"icm/internal/kind"
)

// TestNoArgumentBecomesALineOfAUnitFile: a unit runs as root.
func TestNoArgumentBecomesALineOfAUnitFile(t *testing.T) {
	const line = "x\nExecStartPre=/bin/evil"
	good := kind.Unit{Instance: kind.Instance{Name: "IRIS", Dir: "/usr/irissys", Owner: "irisowner"}}
	units := map[string]kind.Unit{}
	for what, change := range map[string]func(*kind.Unit){
		"the instance's name": func(u *kind.Unit) { u.Name = line },
		"its directory":       func(u *kind.Unit) { u.Dir = "/" + line },
		"its owner":           func(u *kind.Unit) { u.Owner = line },
		"a mount point":       func(u *kind.Unit) { u.Mounts = []string{"/" + line} },
	} {
		u := good
		change(&u)
		units[what] = u
	}
	for what, u := range units {
		d, fake := rootDir(t, nil)
		if err := irisUnit(d).Do(context.Background(), enginetest.NewTask(t, kind.IRISUnit, u)); err == nil || len(fake.files) > 0 {
			t.Errorf("%s: %v, and units %v", what, err, fake.files)
		}
	}
	d, fake := rootDir(t, nil)
	if err := irisUnit(d).Do(context.Background(), enginetest.NewTask(t, kind.IRISUnit, good)); err != nil || len(fake.files) != 1 {
		t.Errorf("a good one: %v, and units %v", err, fake.files)
	}
	for what, v := range map[string]kind.Volume{
		"the device":      {Device: line, MountPoint: "/m", Purpose: "data", Label: "l"},
		"the mount point": {Device: "sdb", MountPoint: "/m" + line, Purpose: "data", Label: "l"},
		"the purpose":     {Device: "null", MountPoint: "/m", Purpose: line, Label: "l"},
		"the label":       {Device: "sdb", MountPoint: "/m", Purpose: "data", Label: line},
	} {
		if err := checkVolume(v); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAPercentSignAndABlankInAMountUnitAreThemselves(t *testing.T) {
	text := mountUnit(kind.Volume{Purpose: "100% data", Label: "l", MountPoint: "/a b%n", FileSystem: "xfs"}, "/dev/x")
	if !strings.Contains(text, "\nWhere=/a b%%n\n") || !strings.Contains(text, "100%% data") {
		t.Errorf("the unit says:\n%s", text)
	}
}
