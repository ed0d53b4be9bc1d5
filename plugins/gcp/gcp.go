package main

import (
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"icm/plugins/internal/terraform"
	"icm/plugins/provider"
)

//go:embed terraform
var files embed.FS

// gcp is what is special about Google's cloud.
type gcp struct{}

var _ terraform.Cloud = gcp{}

// About implements terraform.Cloud.
func (gcp) About() terraform.About {
	return terraform.About{
		Name: "GCP", LoadBalancers: true,
		Devices:  map[string]string{"docker": "sdb", "data": "sdc", "wij": "sdd", "journal1": "sde", "journal2": "sdf"},
		Machines: []string{"google_compute_instance"},
		Disks:    []string{"google_compute_disk"},
		Placeholder: func(d *terraform.Deployment) any {
			return terraform.Vars{"subnetwork": "to-be-made", "tag": nameOf(d)}
		},
	}
}

// Templates implements terraform.Cloud.
func (gcp) Templates() fs.FS {
	sub, err := fs.Sub(files, "terraform")
	if err != nil {
		panic(err) // the directory is part of the program
	}
	return sub
}

// nameOf begins the names of everything that the nodes share. Names of firewall
// rules add a role and a service to it.
func nameOf(d *terraform.Deployment) string { return googleName(d.Name, 30) }

// googleName makes a name fit Google's rules: 63 characters at most, small
// letters, digits and dashes.
func googleName(name string, limit int) string {
	return terraform.ShortName(strings.ReplaceAll(strings.ToLower(name), "_", "-"), limit)
}

// Network implements terraform.Cloud.
func (gcp) Network(d *terraform.Deployment) terraform.Vars {
	probed := map[string][]int{}
	for _, g := range d.Groups {
		for _, b := range g.Balancers {
			if !slices.Contains(probed[g.Role], b.HealthPort) {
				probed[g.Role] = append(probed[g.Role], b.HealthPort)
			}
		}
	}
	return terraform.Vars{
		"project": d.Global.Get("Project"), "region": d.Global.Get("Region"), "zones": d.Zones,
		"short_name": nameOf(d), "ports": d.Ports(), "probed": probed,
	}
}

// Shared implements terraform.Cloud.
func (gcp) Shared(d *terraform.Deployment) terraform.Vars {
	return terraform.Vars{"project": d.Global.Get("Project"), "region": d.Global.Get("Region"), "public_key": d.PublicKey}
}

// Node implements terraform.Cloud.
func (gcp) Node(_ *terraform.Deployment, n *terraform.Node) terraform.Vars {
	volumes := map[string]terraform.Vars{}
	for _, v := range n.Volumes {
		volumes[v.Purpose] = terraform.Vars{"disk": googleName(n.Machine+"-"+v.Purpose, 63), "size": v.Size, "type": typeOf(v)}
	}
	return terraform.Vars{
		"instance": googleName(n.Machine, 63), "group": strings.ToLower(n.Role), "zone": n.Zone, "user": n.Fields.Get("SSHUser"),
		"image": n.Fields.Get("Image"), "machine_type": n.Fields.Get("MachineType"),
		"os": terraform.Vars{"size": n.OS.Size, "type": typeOf(n.OS)}, "volumes": volumes,
	}
}

func typeOf(v terraform.Volume) string {
	if v.Type == "" {
		return "pd-standard"
	}
	return v.Type
}

// Balancer implements terraform.Cloud.
func (gcp) Balancer(_ *terraform.Deployment, b *terraform.Balancer) terraform.Vars {
	// Not the name of the nodes: one of them would have the same address name.
	return terraform.Vars{"short_name": googleName(b.Machine, 40), "port": b.Port, "health": b.Health(), "nodes": b.Nodes}
}

// Device implements terraform.Cloud. raw is the name that the disk has on its
// machine.
func (gcp) Device(_ *terraform.Node, _ terraform.Volume, raw string) string {
	return "/dev/disk/by-id/google-" + raw
}

var imageForm = regexp.MustCompile(`^[A-Za-z0-9:./_-]+$`)

// Check implements terraform.Cloud.
func (gcp) Check(d *terraform.Deployment) []provider.Problem {
	c := terraform.NewChecker(d)
	c.NeedGlobal("Project", "Region")
	if first := nameOf(d); first[0] < 'a' || first[0] > 'z' {
		c.Add("Label", fmt.Sprintf("Label %q begins with no letter, and Google's names do", d.Label), "choose another Label")
	}
	region := d.Global.Get("Region")
	c.EachNode(func(n *terraform.Node, bad terraform.Complain) {
		switch {
		case n.Zone == "":
			bad("Zone", "the node has no zone", fmt.Sprintf(`add "Zone": "%s-b"`, region))
		case region != "" && !strings.HasPrefix(n.Zone, region+"-"):
			bad("Zone", fmt.Sprintf("zone %s is not in region %s", n.Zone, region), "choose a zone of that region, or change Region")
		}
		c.Need(n, "Image", "MachineType", "SSHUser")
		if image := n.Fields.Get("Image"); image != "" && !imageForm.MatchString(image) {
			bad("Image", fmt.Sprintf("%q is no name of an image", image), `write "PROJECT/IMAGE" or "PROJECT/FAMILY"`)
		}
		for _, v := range append([]terraform.Volume{n.OS}, n.Volumes...) {
			checkVolume(v, bad)
		}
	})
	return c.Problems()
}

// smallest are Google's types of disks, and the smallest of each in GiB.
var smallest = map[string]int{
	"pd-standard": 10, "pd-balanced": 10, "pd-ssd": 10, "pd-extreme": 500, "hyperdisk-balanced": 4, "hyperdisk-extreme": 64,
}

func checkVolume(v terraform.Volume, bad terraform.Complain) {
	field, kind := terraform.FieldOf(v), typeOf(v)
	least, known := smallest[kind]
	switch {
	case !known:
		bad(field+"VolumeType", "there is no type of disk "+kind, "use pd-balanced, pd-ssd or pd-standard")
	case v.Size < least:
		bad(field+"VolumeSize", fmt.Sprintf("a disk of type %s has at least %d GB, not %d", kind, least, v.Size), "make it larger")
	}
}
