package terraform

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVariablesComeBackAsTheyWere(t *testing.T) {
	dir := t.TempDir()
	want := map[string]any{"a": "a \"value\"\nof two lines with ${braces} and %{more} & <signs>", "n": 7.0, "l": []any{"x", true, nil}}
	if err := (Vars{"zones": []string{"b", "a"}, "all": want}).write(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, varsFile))
	if err != nil || !strings.Contains(string(text), "$${braces} and %%{more} & <signs>") {
		t.Errorf("%v: the file is\n%s", err, text)
	}
	var zones []string
	var all map[string]any
	if err := readVar(dir, "zones", &zones); err != nil || strings.Join(zones, "") != "ba" {
		t.Errorf("zones are %q, %v", zones, err)
	}
	if err := readVar(dir, "all", &all); err != nil || all["a"] != want["a"] {
		t.Errorf("it came back as %q, %v", all["a"], err)
	}
	if err := readVar(dir, "none", &all); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(filepath.Join(dir, varsFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info, err)
	}
}

func TestZonesKeepTheirNumbers(t *testing.T) {
	req := request(map[string]string{"Zone": "c,b,a"}, "DM", "AM", "WS")
	for i, zone := range []string{"a", "b", "c"} {
		req.Definitions[i].Nodes[0].Zone = zone
	}
	d, _ := understand(req, About{})
	if got := strings.Join(d.Zones, ","); got != "c,b,a" {
		t.Errorf("a new network has the zones %s", got)
	}
	d.keepZones([]string{"x", "a"})
	if got := strings.Join(d.Zones, ","); got != "x,a,c,b" {
		t.Errorf("an existing network has the zones %s", got)
	}
}

func TestVolumesOfANode(t *testing.T) {
	for name, test := range map[string]struct {
		fields map[string]string
		role   string
		want   string
	}{
		"a data server":                 {map[string]string{"Containerless": "true"}, "DM", "data wij journal1 journal2"},
		"with Docker":                   {map[string]string{}, "DM", "docker data wij journal1 journal2"},
		"Docker in a file":              {map[string]string{"DockerDeviceName": "null"}, "DM", "data wij journal1 journal2"},
		"Docker with overlay2":          {map[string]string{"DockerStorageDriver": "overlay2"}, "CN", ""},
		"journals in a directory":       {map[string]string{"Containerless": "true", "Journal1DeviceName": "null", "Journal2DeviceName": "NULL"}, "AM", "data wij"},
		"an arbiter":                    {map[string]string{"Containerless": "true"}, "AR", ""},
		"a plain machine has no Docker": {map[string]string{}, "VM", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := understand(request(test.fields, test.role), About{})
			var got []string
			for _, v := range d.Groups[0].Nodes[0].Volumes {
				got = append(got, v.Purpose)
				if v.Size != 10 {
					t.Errorf("%s has %d GiB", v.Purpose, v.Size)
				}
			}
			if s := strings.Join(got, " "); s != test.want {
				t.Errorf("got %q, want %q", s, test.want)
			}
		})
	}
}
