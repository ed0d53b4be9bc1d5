package main

import (
	"os"
	"path/filepath"
	"strings"
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

func TestANetworkOfTheSitesIsUsedAndLeftAlone(t *testing.T) {
	s := cloudtest.Small(t, tested)
	s.Must(s.Store.Put("aws_vpc", "vpc-site", map[string]any{"cidr_block": "172.17.0.0/16"}))
	s.Must(s.Store.Put("aws_internet_gateway", "igw-site", map[string]any{"vpc_id": "vpc-site"}))
	s.Set("VPCId", "vpc-site")
	s.Set("net_subnet_cidr", "172.17.%d.0/24")
	s.LeavesAlone("aws_vpc", "aws_internet_gateway")
}

// The example of docs/install-cloud.md.
func TestASiteOpensAPortOfItsOwn(t *testing.T) {
	text, err := os.ReadFile("../../docs/install-cloud.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, ok := strings.Cut(string(text), "```\nresource \"aws_vpc_security_group_ingress_rule\"")
	example, _, end := strings.Cut(example, "```")
	if !ok || !end {
		t.Fatal("docs/install-cloud.md has no example")
	}
	s := cloudtest.Small(t, tested)
	s.Override("network/monitoring.tf", "resource \"aws_vpc_security_group_ingress_rule\""+example)
	s.Provision()
	for _, o := range s.Find("aws_vpc_security_group_ingress_rule") {
		if o["cidr_ipv4"] == "192.0.2.7/32" {
			return
		}
	}
	t.Error("the port is not open")
}
