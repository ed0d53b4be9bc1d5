package main

import (
	"os"
	"path/filepath"
	"testing"

	"icm/plugins/internal/terraform/cloudtest"
)

func TestMain(m *testing.M) { cloudtest.Main(m, gcp{}) }

var tested = cloudtest.Cloud{
	Cloud: gcp{}, Name: "google", Zone: "us-east1-b", Machine: "google_compute_instance", Disk: "google_compute_disk", Size: "size",
	Fields: func(t *testing.T) map[string]string {
		path := filepath.Join(t.TempDir(), "account.json")
		if err := os.WriteFile(path, []byte(`{"type": "service_account", "private_key": "`+cloudtest.Canary+`"}`), 0o600); err != nil {
			t.Fatal(err)
		}
		return map[string]string{
			"Provider": "GCP", "Project": "acme-hospital", "Region": "us-east1", "Zone": "us-east1-b,us-east1-c", "Credentials": path, "Containerless": "true",
			"Image": "rhel-cloud/rhel-9", "MachineType": "n2-standard-2", "SSHUser": "icm", "LoadBalancer": "true",
		}
	},
}

func TestLife(t *testing.T) { cloudtest.Life(t, tested) }

func TestConformance(t *testing.T) { cloudtest.Conform(t, tested) }

func TestTheSampleIsAccepted(t *testing.T) {
	cloudtest.Sample(t, gcp{}, "../../samples/gcp", "us-east1-b")
}
