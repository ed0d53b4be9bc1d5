package lab

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"icm/plugins/lab/internal/node"
	"icm/plugins/provider"
)

func volume(purpose, device string, gb int) node.Volume {
	return node.Volume{Purpose: purpose, Device: device, GB: gb}
}

// ask is a request for machines with the same fields.
func ask(deployment string, fields map[string]string, machines ...string) provider.Request {
	d := provider.Definition{Name: "ACME-DM-TEST", Role: "DM"}
	for _, m := range machines {
		d.Nodes = append(d.Nodes, provider.Want{MachineName: m, Fields: fields})
	}
	return provider.Request{Deployment: deployment, Label: "ACME", Tag: "TEST", Definitions: []provider.Definition{d}}
}

func TestVolumesComeFromTheFields(t *testing.T) {
	type volumes []node.Volume
	all := volumes{volume("docker", "xvdb", 10), volume("data", "xvdc", 10), volume("wij", "xvdd", 10), volume("journal1", "xvde", 10), volume("journal2", "xvdf", 10)}
	for name, c := range map[string]struct {
		fields map[string]string
		want   volumes
	}{
		"all by default":                      {map[string]string{}, all},
		"no docker volume without containers": {map[string]string{"Containerless": "True"}, all[1:]},
		"no docker volume with overlay2":      {map[string]string{"DockerStorageDriver": "overlay2"}, all[1:]},
		"overlay2 with a device of its own":   {map[string]string{"DockerStorageDriver": "overlay2", "DockerDeviceName": "xvdb"}, all},
		"null means no device": {
			map[string]string{"Containerless": "true", "WIJDeviceName": "null", "Journal1DeviceName": "null", "Journal2DeviceName": "null"},
			all[1:2],
		},
		"sizes and names, in any case": {
			map[string]string{"containerless": "TRUE", "datavolumesize": "50", "DataDeviceName": "/dev/sdb", "WIJDeviceName": "null", "Journal1DeviceName": "null", "Journal2DeviceName": "sdz"},
			volumes{volume("data", "sdb", 50), volume("journal2", "sdz", 10)},
		},
	} {
		got := readVolumes(fields(c.fields), func(field, text, hint string) {
			t.Errorf("%s: unexpected problem with %s: %s", name, field, text)
		})
		if diff := cmp.Diff(c.want, volumes(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestValidateTellsEverythingThatIsWrong(t *testing.T) {
	lab := New("test", t.TempDir(), t.TempDir())
	for _, c := range []struct{ field, value, want string }{
		{"SSHUser", "", "the user that nodes are entered with is missing"},
		{"SSHUser", "root", `"root" cannot be the user`},
		{"SSHUser", "a b", `"a b" cannot be the user`},
		{"SSHPassword", "two\nlines", "contains a line break"},
		{"DataVolumeSize", "ten", `"ten" is not a size in GB`},
		{"DataVolumeSize", "0", `"0" is not a size in GB`},
		{"DataVolumeSize", "99999999", "is not a size in GB"},
		{"DataDeviceName", "../etc/passwd", "cannot be the name of a device"},
		{"DataDeviceName", "/dev/zero", "cannot be the name of a device"},
		{"DataDeviceName", "xvdd", "xvdd is the device of two volumes"},
		{"LabNetworkRate", "fast", `"fast" is not a rate`},
		{"Image", "root.tar", "is not an absolute path"},
		{"Image", "/no/such/root.tar", "cannot use the image"},
		{"Home", "home", "is not an absolute path"},
	} {
		req := ask("ICM-1", map[string]string{"SSHUser": "icm", c.field: c.value}, "A-0001", "A-0002")
		problems, err := lab.Validate(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		hits := 0
		for _, p := range problems {
			if strings.Contains(p.Text, c.want) {
				hits++
			}
		}
		if hits != 1 {
			t.Errorf("%s %q: said %d times %q, want once, in %+v", c.field, c.value, hits, c.want, problems)
		}
		if strings.Contains(c.field, "Password") && strings.Contains(problems[len(problems)-1].Text, "two") {
			t.Error("the password shows in the problem")
		}
	}
}

func TestNamesThatCannotBe(t *testing.T) {
	lab := New("test", t.TempDir(), t.TempDir())
	good := map[string]string{"SSHUser": "icm"}
	for name, req := range map[string]provider.Request{
		"two machines are called a-0001":            ask("ICM-1", good, "A-0001", "a-0001"),
		`"../x" cannot be the name of a machine`:    ask("ICM-1", good, "../x"),
		`"../x" cannot be the name of a deployment`: ask("../x", good, "A-0001"),
		`"" cannot be the name of a deployment`:     ask("", good, "A-0001"),
	} {
		if _, problems := lab.read(req); len(problems) != 1 || problems[0].Text != name {
			t.Errorf("got %+v, want only %q", problems, name)
		}
		if _, err := lab.Provision(t.Context(), req, func(provider.Progress) {}); err == nil {
			t.Errorf("%s: Provision was no error", name)
		}
	}
}

func TestAPlanForNothingMakesTheNetworkAndTheNodes(t *testing.T) {
	lab := New("test", t.TempDir()+"/none", t.TempDir())
	fields := map[string]string{"SSHUser": "icm", "Containerless": "True", "WIJDeviceName": "null", "Journal1DeviceName": "null", "Journal2DeviceName": "null"}
	got, err := lab.Plan(t.Context(), ask("ICM-1", fields, "A-0001"))
	if err != nil {
		t.Fatal(err)
	}
	want := []provider.Action{
		{Verb: "make", What: "network of ICM-1"},
		{Verb: "make", What: "node A-0001", Detail: "volumes: data 10 GB"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatWasNeverMadeIsUnprovisionedWithoutAnError(t *testing.T) {
	lab := New("test", t.TempDir(), t.TempDir())
	if err := lab.Unprovision(t.Context(), ask("ICM-1", nil), func(provider.Progress) {}); err != nil {
		t.Error(err)
	}
	if result, err := lab.Inventory(t.Context(), ask("ICM-1", nil)); err != nil || len(result.Nodes) != 0 {
		t.Errorf("Inventory = %+v, %v; want nothing", result, err)
	}
}
