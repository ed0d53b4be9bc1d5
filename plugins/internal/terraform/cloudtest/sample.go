package cloudtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"icm/plugins/internal/terraform"
	"icm/plugins/provider"
)

// Sample checks that the cloud accepts the sample in a directory, but for its
// credentials, which nobody gives away. zone is that of the nodes.
func Sample(t *testing.T, cloud terraform.Cloud, dir, zone string) {
	var defaults map[string]string
	var definitions []map[string]string
	for name, into := range map[string]any{"defaults.json": &defaults, "definitions.json": &definitions} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = json.Unmarshal(data, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	p, err := terraform.New(cloud)
	if err != nil {
		t.Fatal(err)
	}
	req := provider.Request{Deployment: "ICM-1", Label: defaults["Label"], Tag: defaults["Tag"], StateDir: t.TempDir(), Defaults: defaults, PublicKey: PublicKey(t)}
	for i, d := range definitions {
		name := defaults["Label"] + "-" + d["Role"] + "-" + defaults["Tag"]
		fields := maps.Clone(defaults)
		maps.Copy(fields, d)
		req.Definitions = append(req.Definitions, provider.Definition{
			Name: name, Index: i, Role: d["Role"], Nodes: []provider.Want{{MachineName: fmt.Sprintf("%s-%04d", name, i+1), Zone: zone, Fields: fields}},
		})
	}
	problems, err := p.Validate(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range problems {
		if x.Field != "Credentials" {
			t.Errorf("%+v", x)
		}
	}
}
