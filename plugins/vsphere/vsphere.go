package main

import (
	"embed"
	"io/fs"
	"strings"

	"icm/plugins/internal/terraform"
)

//go:embed terraform
var files embed.FS

// vsphere is what is special about VMware's private cloud.
type vsphere struct{}

var _ terraform.Cloud = vsphere{}

// About implements terraform.Cloud. Disks are parts of their machine.
func (vsphere) About() terraform.About {
	return terraform.About{
		Name:     "vSphere",
		Devices:  map[string]string{"docker": "sdb", "data": "sdc", "wij": "sdd", "journal1": "sde", "journal2": "sdf"},
		Machines: []string{"vsphere_virtual_machine"},
		Placeholder: func(d *terraform.Deployment) any {
			return terraform.Vars{"datacenter_id": "to-be-found", "folder": d.Name}
		},
	}
}

// Templates implements terraform.Cloud.
func (vsphere) Templates() fs.FS {
	sub, err := fs.Sub(files, "terraform")
	if err != nil {
		panic(err) // the directory is part of the program
	}
	return sub
}

// Network implements terraform.Cloud.
func (vsphere) Network(d *terraform.Deployment) terraform.Vars {
	return terraform.Vars{"server": d.Global.Get("Server"), "datacenter": d.Global.Get("Datacenter"), "zones": d.Zones}
}

// Shared implements terraform.Cloud.
func (vsphere) Shared(d *terraform.Deployment) terraform.Vars {
	return terraform.Vars{"server": d.Global.Get("Server")}
}

// Node implements terraform.Cloud.
func (vsphere) Node(_ *terraform.Deployment, n *terraform.Node) terraform.Vars {
	return terraform.Vars{
		"template": n.Fields.Get("Template"), "guest_id": or(n.Fields.Get("GuestID"), "centos64Guest"),
		"cpus": n.Fields.Int("VCPU"), "memory": n.Fields.Int("Memory"),
		"network": or(n.Fields.Get("NetworkInterface"), "VM Network"), "resource_pool": or(n.Fields.Get("ResourcePool"), "Resources"),
		"datastore_cluster": n.Fields.Get("DatastoreCluster"),
		"host":              strings.ToLower(n.Machine), "domain": or(n.Fields.Get("Domain"), "localdomain"),
		"dns_servers": list(n.Fields.List("DNSServers")), "dns_suffixes": list(n.Fields.List("DNSSuffixes")),
		"controllers": orInt(n.Fields.Int("SCSIControllerCount"), 1), "disks": disks(n), "cloud_init": n.CloudInit(),
		"minutes": minutes(n.Fields), "storage_drs": storageDRS(n.Fields),
	}
}

// minutes are how long things may take.
func minutes(f terraform.Fields) terraform.Vars {
	return terraform.Vars{
		"clone": orInt(f.Int("CloneTimeout"), 30), "customize": orInt(f.Int("CustomizeTimeout"), 10), "network": orInt(f.Int("WaitForGuestNetTimeout"), 5),
		"shutdown": orInt(f.Int("ShutdownWaitTimeout"), 3), "migrate": orInt(f.Int("MigrateWaitTimeout"), 10),
	}
}

// storageDRS is what a machine is to have other than its datastore cluster:
// vSphere's words, empty where it has the same.
func storageDRS(f terraform.Fields) terraform.Vars {
	return terraform.Vars{
		"enabled": strings.ToLower(f.Get("SDRSEnabled")), "automation": strings.ToLower(f.Get("SDRSAutomationLevel")),
		"affinity": strings.ToLower(f.Get("SDRSIntraVMAffinity")),
	}
}

// Disk units are counted through all controllers.
const unitsPerController = 15

// disks are in the order of their units; the system's is the first.
func disks(n *terraform.Node) []terraform.Vars {
	policy := strings.ToLower(n.Fields.Get("DiskPolicy"))
	var out []terraform.Vars
	add := func(label string, size, unit int) {
		out = append(out, terraform.Vars{
			"label": label, "size": size, "unit": unit, "thin": policy == "thin", "eager": policy == "eagerzeroedthick",
		})
	}
	add("os", n.OS.Size, 0)
	for _, v := range n.Volumes {
		add(v.Purpose, v.Size, unitOf(n, v))
	}
	return out
}

// unitOf is a disk's place: the same whatever other disks the node has.
func unitOf(n *terraform.Node, v terraform.Volume) int {
	controller := orInt(n.Fields.Int(terraform.FieldOf(v)+"VolumeSCSIController"), 1)
	return unitsPerController*(controller-1) + v.Place + 1
}

// Balancer implements terraform.Cloud: vSphere has none.
func (vsphere) Balancer(*terraform.Deployment, *terraform.Balancer) terraform.Vars { return nil }

// Device implements terraform.Cloud. raw is the disk's UUID, which the node
// sees as its WWN.
func (vsphere) Device(_ *terraform.Node, _ terraform.Volume, raw string) string {
	return "/dev/disk/by-id/wwn-0x" + strings.ToLower(strings.ReplaceAll(raw, "-", ""))
}

func or(s, usual string) string {
	if s == "" {
		return usual
	}
	return s
}

func orInt(n, usual int) int {
	if n == 0 {
		return usual
	}
	return n
}

// list is never null, which terraform would take for a missing value.
func list(s []string) []string { return append([]string{}, s...) }
