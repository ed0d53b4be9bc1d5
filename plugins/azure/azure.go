package main

import (
	"embed"
	"io/fs"
	"strconv"
	"strings"

	"icm/plugins/internal/terraform"
)

//go:embed terraform
var files embed.FS

// azure is what is special about Microsoft's cloud.
type azure struct{}

var _ terraform.Cloud = azure{}

// About implements terraform.Cloud.
func (azure) About() terraform.About {
	return terraform.About{
		Name: "Azure", LoadBalancers: true,
		Devices:     map[string]string{"docker": "sdc", "data": "sdd", "wij": "sde", "journal1": "sdf", "journal2": "sdg"},
		Machines:    []string{"azurerm_linux_virtual_machine"},
		Disks:       []string{"azurerm_managed_disk"},
		Placeholder: placeholder,
	}
}

// placeholder has the form of the network's output.
func placeholder(d *terraform.Deployment) any {
	groups := map[string]string{}
	for name := range d.Ports() {
		if name != terraform.AllNodes {
			groups[name] = "to-be-made"
		}
	}
	return terraform.Vars{"resource_group": resourceGroup(d), "subnet_id": "to-be-made", "groups": groups}
}

// resourceGroup is the one there is already, or the one that is made.
func resourceGroup(d *terraform.Deployment) string {
	if name := d.Global.Get("ResourceGroupName"); name != "" {
		return name
	}
	return d.Name
}

// Templates implements terraform.Cloud.
func (azure) Templates() fs.FS {
	sub, err := fs.Sub(files, "terraform")
	if err != nil {
		panic(err) // the directory is part of the program
	}
	return sub
}

// Network implements terraform.Cloud.
func (azure) Network(d *terraform.Deployment) terraform.Vars {
	subnets := subnetForm(d)
	subnet := subnetOf(d.Global.Get("SubnetId"))
	return terraform.Vars{
		"subscription_id": d.Global.Get("SubscriptionId"), "location": d.Global.Get("Location"), "zones": d.Zones,
		"resource_group": d.Global.Get("ResourceGroupName"), "virtual_network": d.Global.Get("VirtualNetworkName"), "subnet": subnet,
		"network_cidr": terraform.WholeNetwork(subnets), "subnet_cidr": strings.Replace(subnets, "%d", "0", 1), "ports": d.Ports(),
	}
}

func subnetForm(d *terraform.Deployment) string {
	if form := d.Global.Get("net_subnet_cidr"); form != "" {
		return form
	}
	return "10.0.%d.0/24"
}

// Shared implements terraform.Cloud.
func (azure) Shared(d *terraform.Deployment) terraform.Vars {
	return terraform.Vars{"subscription_id": d.Global.Get("SubscriptionId"), "location": d.Global.Get("Location"), "public_key": d.PublicKey}
}

// Node implements terraform.Cloud.
func (azure) Node(_ *terraform.Deployment, n *terraform.Node) terraform.Vars {
	volumes := map[string]terraform.Vars{}
	for _, v := range n.Volumes {
		volumes[v.Purpose] = terraform.Vars{"lun": v.Place, "size": v.Size, "type": diskType(n)}
	}
	return terraform.Vars{
		"group": n.Role, "zone": n.Zone, "size": n.Fields.Get("Size"), "user": n.Fields.Get("SSHUser"), "image_id": n.Fields.Get("CustomImage"),
		"image": terraform.Vars{
			"publisher": n.Fields.Get("PublisherName"), "offer": n.Fields.Get("Offer"), "sku": n.Fields.Get("Sku"), "version": n.Fields.Get("Version"),
		},
		"os": terraform.Vars{"size": n.OS.Size, "type": diskType(n)}, "volumes": volumes,
	}
}

// diskType is Azure's name for a type of managed disk.
func diskType(n *terraform.Node) string {
	tier, replication := n.Fields.Get("AccountTier"), n.Fields.Get("AccountReplicationType")
	if tier == "" {
		tier = "Standard"
	}
	if replication == "" {
		replication = "LRS"
	}
	return tier + "_" + strings.ToUpper(replication)
}

// Balancer implements terraform.Cloud.
func (azure) Balancer(_ *terraform.Deployment, b *terraform.Balancer) terraform.Vars {
	return terraform.Vars{"port": b.Port, "health": b.Health(), "nodes": b.Nodes}
}

// Device implements terraform.Cloud. raw is the number of the disk's place.
func (azure) Device(_ *terraform.Node, v terraform.Volume, raw string) string {
	if _, err := strconv.Atoi(raw); err != nil {
		raw = strconv.Itoa(v.Place)
	}
	return "/dev/disk/azure/scsi1/lun" + raw
}
