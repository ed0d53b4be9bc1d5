package main

import (
	"testing"

	"icm/plugins/internal/terraform/cloudtest"
)

func TestMain(m *testing.M) { cloudtest.Main(m, azure{}) }

var tested = cloudtest.Cloud{
	Cloud: azure{}, Name: "azurerm", Zone: "1", Machine: "azurerm_linux_virtual_machine", Disk: "azurerm_managed_disk", Size: "disk_size_gb",
	Fields: func(*testing.T) map[string]string {
		return map[string]string{
			"Provider": "Azure", "Location": "Central US", "Zone": "1,2", "Containerless": "true", "SSHUser": "icm", "LoadBalancer": "true",
			"SubscriptionId": "00000000-0000-0000-0000-000000000001", "TenantId": "00000000-0000-0000-0000-000000000003",
			"ClientId": "00000000-0000-0000-0000-000000000002", "ClientSecret": cloudtest.Canary, "Size": "Standard_D2s_v5",
			"PublisherName": "RedHat", "Offer": "RHEL", "Sku": "9-lvm-gen2", "Version": "latest",
		}
	},
}

func TestLife(t *testing.T) { cloudtest.Life(t, tested) }

func TestConformance(t *testing.T) { cloudtest.Conform(t, tested) }

func TestTheSampleIsAccepted(t *testing.T) { cloudtest.Sample(t, azure{}, "../../samples/azure", "1") }
