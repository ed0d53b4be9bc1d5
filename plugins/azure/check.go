package main

import (
	"fmt"
	"regexp"
	"slices"

	"icm/plugins/internal/terraform"
	"icm/plugins/provider"
)

// Check implements terraform.Cloud.
func (azure) Check(d *terraform.Deployment) []provider.Problem {
	c := terraform.NewChecker(d)
	c.NeedGlobal("SubscriptionId", "TenantId", "Location")
	c.Subnets(subnetForm(d), "net_subnet_cidr")
	checkNetwork(d, c)
	c.EachNode(func(n *terraform.Node, bad terraform.Complain) {
		c.Need(n, "Size", "SSHUser")
		if n.Fields.Get("CustomImage") == "" {
			c.Need(n, "PublisherName", "Offer", "Sku", "Version")
		}
		if n.Zone != "" && !slices.Contains([]string{"1", "2", "3"}, n.Zone) {
			bad("Zone", fmt.Sprintf("Azure has no zone %q", n.Zone), `use "1", "2" and "3", or remove Zone`)
		}
		checkReplication(n, bad)
	})
	return c.Problems()
}

// checkReplication: managed disks are replicated in their own region only.
func checkReplication(n *terraform.Node, bad terraform.Complain) {
	switch kind := diskType(n); kind {
	case "Standard_LRS", "Premium_LRS", "Premium_ZRS":
	case "Standard_ZRS":
		bad("AccountReplicationType", "disks of AccountTier Standard cannot have AccountReplicationType ZRS", "use LRS, or AccountTier Premium")
	default:
		bad("AccountReplicationType", fmt.Sprintf("a disk cannot be %s: disks know LRS and ZRS only", kind), "use LRS")
	}
}

// subnetURI is the form of the URI of a subnet.
var subnetURI = regexp.MustCompile(`^/subscriptions/[^/]+/resourceGroups/([^/]+)/providers/Microsoft\.Network/virtualNetworks/([^/]+)/subnets/([^/]+)$`)

// subnetOf takes the URI of a subnet apart; all is empty where there is none.
func subnetOf(uri string) terraform.Vars {
	m := subnetURI.FindStringSubmatch(uri)
	if m == nil {
		m = make([]string, 4)
	}
	return terraform.Vars{"resource_group": m[1], "virtual_network": m[2], "name": m[3]}
}

// checkNetwork: what exists is named fully.
func checkNetwork(d *terraform.Deployment, c *terraform.Checker) {
	if uri := d.Global.Get("SubnetId"); uri != "" && !subnetURI.MatchString(uri) {
		c.Add("SubnetId", fmt.Sprintf("%q is no URI of a subnet", uri),
			"write it as /subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Network/virtualNetworks/NETWORK/subnets/NAME")
	}
	if name := d.Global.Get("VirtualNetworkName"); name != "" && d.Global.Get("ResourceGroupName") == "" && d.Global.Get("SubnetId") == "" {
		c.Add("ResourceGroupName", fmt.Sprintf("VirtualNetworkName %s needs ResourceGroupName: an existing network is in an existing group", name), "add ResourceGroupName")
	}
}
