package main

import (
	"testing"

	"icm/plugins/internal/terraform/cloudtest"
)

func TestMain(m *testing.M) { cloudtest.Main(m, vsphere{}) }

var tested = cloudtest.Cloud{
	Cloud: vsphere{}, Name: "vsphere", Machine: "vsphere_virtual_machine",
	Fields: func(*testing.T) map[string]string {
		return map[string]string{
			"Provider": "vSphere", "Server": "vcenter.acme.com", "Datacenter": "DC1", "VsphereUser": "icm", "VspherePassword": cloudtest.Canary,
			"Template": "rocky-9", "DatastoreCluster": "DatastoreCluster1", "ResourcePool": "ResourcePool1", "VCPU": "2", "Memory": "4096",
			"DNSServers": "192.0.2.53,192.0.2.54", "DNSSuffixes": "acme.com", "Domain": "acme.com", "SCSIControllerCount": "4",
			"DataVolumeSCSIController": "2", "WIJVolumeSCSIController": "3", "Journal1VolumeSCSIController": "4", "Journal2VolumeSCSIController": "4",
			"SDRSEnabled": "true", "SDRSIntraVMAffinity": "false", "DiskPolicy": "eagerZeroedThick",
			"Containerless": "true", "SSHUser": "icm", "CloudInit": "true",
		}
	},
}

func TestLife(t *testing.T) { cloudtest.Life(t, tested) }

func TestConformance(t *testing.T) { cloudtest.Conform(t, tested) }

func TestTheSampleIsAccepted(t *testing.T) {
	cloudtest.Sample(t, vsphere{}, "../../samples/vsphere", "")
}
