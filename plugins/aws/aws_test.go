package main

import (
	"os"
	"path/filepath"
	"testing"

	"icm/plugins/internal/terraform/cloudtest"
)

func TestMain(m *testing.M) { cloudtest.Main(m, aws{}) }

var tested = cloudtest.Cloud{
	Cloud: aws{}, Name: "aws", Zone: "us-west-1b", Machine: "aws_instance", Disk: "aws_ebs_volume", Size: "size",
	Fields: func(t *testing.T) map[string]string {
		path := filepath.Join(t.TempDir(), "credentials")
		text := "[default]\naws_access_key_id = " + cloudtest.Canary + "\naws_secret_access_key = " + cloudtest.Canary + "\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return map[string]string{
			"Provider": "AWS", "Region": "us-west-1", "Zone": "us-west-1b,us-west-1c", "Credentials": path, "Containerless": "true",
			"AMI": "ami-a540a5e1", "InstanceType": "m5.large", "SSHUser": "ec2-user",
		}
	},
}

func TestLife(t *testing.T) { cloudtest.Life(t, tested) }

func TestConformance(t *testing.T) { cloudtest.Conform(t, tested) }

func TestTheSampleIsAccepted(t *testing.T) {
	cloudtest.Sample(t, aws{}, "../../samples/aws", "us-west-1b")
}

func TestKilledAtAnyMoment(t *testing.T) { cloudtest.Killed(t, tested) }
