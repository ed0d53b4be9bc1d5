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

func TestWhatIsThereInAzureIsUsedAndLeftAlone(t *testing.T) {
	const id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/site"
	for name, fields := range map[string]map[string]string{
		"a resource group":                    {"ResourceGroupName": "site"},
		"a virtual network in a group":        {"ResourceGroupName": "site", "VirtualNetworkName": "site-net", "net_subnet_cidr": "172.17.%d.0/24"},
		"a subnet, and a group for all other": {"ResourceGroupName": "site", "SubnetId": id + "/providers/Microsoft.Network/virtualNetworks/site-net/subnets/site-subnet"},
	} {
		t.Run(name, func(t *testing.T) {
			s := cloudtest.Small(t, tested)
			network := id + "/providers/Microsoft.Network/virtualNetworks/site-net"
			s.Must(s.Store.Put("azurerm_resource_group", id, map[string]any{"name": "site", "location": "centralus"}))
			s.Must(s.Store.Put("azurerm_virtual_network", network, map[string]any{"name": "site-net", "resource_group_name": "site"}))
			s.Must(s.Store.Put("azurerm_subnet", network+"/subnets/site-subnet", map[string]any{
				"name": "site-subnet", "resource_group_name": "site", "virtual_network_name": "site-net", "address_prefixes": []string{"172.17.9.0/24"},
			}))
			none := []string{"azurerm_resource_group"}
			for field, value := range fields {
				s.Set(field, value)
				switch field {
				case "VirtualNetworkName":
					none = append(none, "azurerm_virtual_network")
				case "SubnetId":
					none = append(none, "azurerm_virtual_network", "azurerm_subnet")
				}
			}
			s.LeavesAlone(none...)
		})
	}
}
