package deploy

import (
	"testing"

	"icm/controller/state"
	"icm/internal/kind"
	"icm/internal/kitname"
	"icm/internal/wire"
)

func kitOf(t *testing.T, name string) kitname.Kit {
	t.Helper()
	k, err := kitname.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestAnInstanceKeepsThePortsOfTheKitItCameFrom(t *testing.T) {
	const newKit = "IRIS-2025.1.0.223.0-lnxubuntu2204x64.tar.gz"
	old := wire.Instance{Name: "IRIS", SuperServer: "51773", WebServer: "52773"}
	for _, row := range []struct {
		name       string
		recorded   string // superserver port in the instances file
		given      int    // the field
		asked      bool   // whether the node was asked
		found      []wire.Instance
		super, web int
	}{
		{"a fresh node has the kit's", "", 0, true, nil, 1972, 0},
		{"an upgraded instance has its own", "", 0, true, []wire.Instance{old}, 51773, 52773},
		{"a node that was not asked has the recorded ones", "51773", 0, false, nil, 51773, 0},
		{"what was recorded of an instance that is gone does not count", "51773", 0, true, nil, 1972, 0},
		{"a field wins over everything", "51773", 4711, true, []wire.Instance{old}, 4711, 52773},
		{"of several ports the first is the one", "", 0, true, []wire.Instance{{Name: "iris", SuperServer: "1973,1974"}}, 1973, 0},
		{"another instance does not count", "", 0, true, []wire.Instance{{Name: "OTHER", SuperServer: "1975"}}, 1972, 0},
	} {
		n := state.Instance{}
		if row.recorded != "" {
			n.SetField(superServerField, row.recorded)
		}
		s := &site{settings: map[string]settings{"A": {
			Instance: kind.Instance{Name: "IRIS"}, KitInfo: kitOf(t, newKit), superServerPort: row.given, has: recordedPorts(n),
		}}}
		if row.asked {
			s.adopt(map[string]wire.Facts{"A": {Instances: row.found}})
		}
		if set := s.settings["A"]; set.superServer() != row.super || set.webServer() != row.web {
			t.Errorf("%s: ports %d and %d, want %d and %d", row.name, set.superServer(), set.webServer(), row.super, row.web)
		}
	}
}

func TestPortsAreRecordedAsLongAsThereIsAnInstance(t *testing.T) {
	set := settings{KitInfo: kitOf(t, "IRIS-2018.2.0.792.0-lnxrhx64.tar.gz")}
	n := &state.Instance{}
	recordPorts(n, set, VerbInstall)
	if super, web := n.Field(superServerField), n.Field(webServerField); super != "51773" || web != "52773" {
		t.Errorf("after install %q and %q are recorded", super, web)
	}
	recordPorts(n, settings{has: ports{51773, 52773}}, VerbStop)
	if super := n.Field(superServerField); super != "51773" {
		t.Errorf("after stop %q is recorded", super)
	}
	recordPorts(n, settings{has: ports{51773, 52773}}, VerbUninstall)
	if super, web := n.Field(superServerField), n.Field(webServerField); super != "" || web != "" {
		t.Errorf("after uninstall %q and %q are recorded", super, web)
	}
	n.SetField(superServerField, "4711")
	recordPorts(n, settings{superServerPort: 4711}, VerbUninstall)
	if super := n.Field(superServerField); super != "4711" {
		t.Errorf("a port that a field gives became %q", super)
	}
}
