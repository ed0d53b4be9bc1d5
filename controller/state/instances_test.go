package state

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAnInstancesFileKeepsWhatItHas(t *testing.T) {
	const file = `[
  {
    "Zeta": "first",
    "Label": "ACME",
    "machinename": "ACME-DM-TEST-0001",
    "IPAddress": "192.0.2.1",
    "DNSName": "a<b>&c",
    "Unknown": {
      "b": [
        1.0,
        null
      ],
      "a": 12345678901234567890
    },
    "Role": "DM",
    "StateDir": "/s/ACME-DM-TEST/ACME-DM-TEST-0001",
    "Nothing": null
  }
]
`
	in, err := ParseInstances("instances.json", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	out, err := FormatInstances(in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(file, string(out)); diff != "" {
		t.Error(diff)
	}
}

func TestFieldsAreSetInTheirPlace(t *testing.T) {
	in, err := ParseInstances("f", []byte(`[{"Zeta": "1", "MachineName": "m", "Alpha": "2", "Gone": "3"}]`))
	if err != nil {
		t.Fatal(err)
	}
	in[0].SetField("ZETA", "one")
	in[0].SetField("ipaddress", "192.0.2.1")
	in[0].SetField("KitURL", "https://user:pass@kits.example/k.tar.gz")
	delete(in[0].Fields, "Gone")
	out, err := FormatInstances(in)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"Zeta":"one","MachineName":"m","Alpha":"2","Role":"","IPAddress":"192.0.2.1","DNSName":"","StateDir":"","KitURL":"https://kits.example/k.tar.gz"}]`
	if got := strings.NewReplacer("\n", "", "  ", "", ": ", ":").Replace(string(out)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if in[0].Field("alpha") != "2" || in[0].Field("IPAddress") != "192.0.2.1" {
		t.Error("a field is not found without regard to case")
	}
}

func TestSecretsAreNeverWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "instances.json")
	in, err := ParseInstances("f", []byte(`[{"MachineName": "m", "ISCPassword": "canary-1", "SSHPassword": {"x": "canary-2"}}]`))
	if err != nil {
		t.Fatal(err)
	}
	in[0].SetField("iscPassword", "canary-3")
	in[0].SetField("ClientSecret", "canary-4")
	in[0].SetField("VsphereUser", "u")
	if err := SaveInstances(path, in); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "canary") || !strings.Contains(string(data), "VsphereUser") {
		t.Errorf("the file has:\n%s", data)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v, %v", info.Mode(), err)
	}
}

func TestErrorsOfAnInstancesFileNameTheLine(t *testing.T) {
	for name, test := range map[string]struct{ file, want string }{
		"nothing in it":         {"", "line 1: the file ends too early"},
		"cut off":               {"[\n{\"MachineName\": \"m\",\n", "line 3: the file ends too early"},
		"not a list":            {"{}", "line 1: { where a list of nodes is expected"},
		"a list of strings":     {"[\n\"x\"]", "line 2: x where a node is expected"},
		"an entry with no name": {"[\n{\"Role\": \"DM\"}]", "line 2: an entry without a MachineName"},
		"a name that is null":   {"[{\"MachineName\": null}]", "line 1: an entry without a MachineName"},
		"a node twice":          {"[{\"MachineName\": \"m\"},\n{\"MachineName\": \"m\"}]", "line 2: m stands in line 1 already"},
		"a field twice":         {"[{\"MachineName\": \"m\",\n\"machineName\": \"n\"}]", "line 2: the field machineName stands twice"},
		"something after it":    {"[]\n[]", "something follows the list"},
		"a missing comma":       {"[{\"MachineName\": \"m\"\n\"Role\": \"DM\"}]", "line 2: invalid character"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseInstances("instances.json", []byte(test.file))
			if err == nil || !strings.Contains(err.Error(), "instances.json") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func FuzzInstances(f *testing.F) {
	f.Add([]byte(`[{"MachineName":"m","Fields":[1,{"a":null}],"x":"\u00e9"}]`))
	f.Add([]byte(`[{"MachineName":"m"},{"machinename":"n","IPAddress":7}]`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := ParseInstances("f", data)
		if err != nil {
			return
		}
		once, err := FormatInstances(in)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := ParseInstances("f", once)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, once)
		}
		twice, err := FormatInstances(again)
		if err != nil || string(once) != string(twice) {
			t.Fatalf("writing twice differs: %v\n%s\n%s", err, once, twice)
		}
	})
}
