package main

import (
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"icm/plugins/internal/terraform"
	"icm/plugins/provider"
)

//go:embed terraform
var files embed.FS

// aws is what is special about Amazon's cloud.
type aws struct{}

var _ terraform.Cloud = aws{}

// About implements terraform.Cloud.
func (aws) About() terraform.About {
	return terraform.About{
		Name: "AWS", LoadBalancers: true,
		Devices:     map[string]string{"docker": "xvdb", "data": "xvdc", "wij": "xvdd", "journal1": "xvde", "journal2": "xvdf"},
		Machines:    []string{"aws_instance"},
		Disks:       []string{"aws_ebs_volume"},
		Placeholder: placeholder,
	}
}

// placeholder has the form of the network's output.
func placeholder(d *terraform.Deployment) any {
	subnets, groups := map[string]string{}, map[string]string{}
	for _, zone := range d.Zones {
		subnets[zone] = "subnet-to-be-made"
	}
	for name := range d.Ports() {
		groups[name] = "sg-to-be-made"
	}
	return terraform.Vars{"vpc_id": "vpc-to-be-made", "subnets": subnets, "groups": groups, "key_name": d.Name}
}

// Templates implements terraform.Cloud.
func (aws) Templates() fs.FS {
	sub, err := fs.Sub(files, "terraform")
	if err != nil {
		panic(err) // the directory is part of the program
	}
	return sub
}

// Network implements terraform.Cloud.
func (aws) Network(d *terraform.Deployment) terraform.Vars {
	subnets := subnetForm(d)
	return terraform.Vars{
		"region": d.Global.Get("Region"), "zones": d.Zones, "vpc_id": d.Global.Get("VPCId"),
		"vpc_cidr": terraform.WholeNetwork(subnets), "subnet_cidr": subnets,
		"public_key": d.PublicKey, "ports": d.Ports(),
	}
}

func subnetForm(d *terraform.Deployment) string {
	if form := d.Global.Get("net_subnet_cidr"); form != "" {
		return form
	}
	return "10.0.%d.0/24"
}

// Shared implements terraform.Cloud.
func (aws) Shared(d *terraform.Deployment) terraform.Vars {
	return terraform.Vars{"region": d.Global.Get("Region")}
}

// Node implements terraform.Cloud.
func (aws) Node(_ *terraform.Deployment, n *terraform.Node) terraform.Vars {
	volumes := map[string]terraform.Vars{}
	for _, v := range n.Volumes {
		kind, iops := volumeType(v)
		volumes[v.Purpose] = terraform.Vars{"device": requested(v), "size": v.Size, "type": kind, "iops": iops}
	}
	kind, iops := volumeType(n.OS)
	return terraform.Vars{
		"group": n.Role, "zone": n.Zone, "ami": n.Fields.Get("AMI"), "instance_type": n.Fields.Get("InstanceType"),
		"elastic_ip": n.Fields.Bool("ElasticIP"), "volumes": volumes,
		"os": terraform.Vars{"size": n.OS.Size, "type": kind, "iops": iops},
	}
}

// volumeType is Amazon's name for a type, and the operations per second of
// those that are told them. The guide's "iops" is io1 today.
func volumeType(v terraform.Volume) (kind string, iops int) {
	switch kind = strings.ToLower(v.Type); kind {
	case "":
		return "standard", 0
	case "iops":
		return "io1", v.IOPS
	case "io1", "io2", "gp3":
		return kind, v.IOPS
	}
	return kind, 0
}

var deviceForm = regexp.MustCompile(`^(/dev/)?((xvd|sd)[b-z])$`)

// requested is the device name that Amazon is asked for. What the user calls
// the device counts where Amazon allows it; what the kernel calls it on the
// node is another matter.
func requested(v terraform.Volume) string {
	if m := deviceForm.FindStringSubmatch(v.Device); m != nil {
		return "/dev/" + m[2]
	}
	return "/dev/xvd" + string(rune('b'+v.Place))
}

// Balancer implements terraform.Cloud.
func (aws) Balancer(_ *terraform.Deployment, b *terraform.Balancer) terraform.Vars {
	return terraform.Vars{"short_name": terraform.ShortName(b.Name+suffix(b), 32), "port": b.Port, "health": b.Health(), "nodes": b.Nodes}
}

// suffix tells apart the balancers of several definitions of one role.
func suffix(b *terraform.Balancer) string { return b.Machine[strings.LastIndex(b.Machine, "-"):] }

// xen are the families of instances whose volumes keep the name that was asked
// for. All others show them as NVMe devices, in any order.
var xen = regexp.MustCompile(`^(c1|c3|c4|cc2|cr1|d2|f1|g2|g3s?|h1|hs1|i2|i3|m1|m2|m3|m4|p2|p3|r3|r4|t1|t2|x1e?)\.`)

// Device implements terraform.Cloud. raw is the volume's id.
func (aws) Device(n *terraform.Node, v terraform.Volume, raw string) string {
	if kind := n.Fields.Get("InstanceType"); xen.MatchString(kind) && !strings.HasPrefix(kind, "i3.metal") {
		return strings.Replace(requested(v), "/dev/sd", "/dev/xvd", 1)
	}
	return "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_" + strings.ReplaceAll(raw, "-", "")
}

// Check implements terraform.Cloud.
func (aws) Check(d *terraform.Deployment) []provider.Problem {
	c := terraform.NewChecker(d)
	c.NeedGlobal("Region")
	c.Subnets(subnetForm(d), "net_subnet_cidr")
	c.EachNode(func(n *terraform.Node, bad terraform.Complain) {
		if n.Zone == "" {
			bad("Zone", "the node has no zone", `add "Zone": "us-west-1b"`)
		}
		c.Need(n, "AMI", "InstanceType", "SSHUser")
		for _, v := range append([]terraform.Volume{n.OS}, n.Volumes...) {
			checkVolume(v, bad)
		}
	})
	return c.Problems()
}

// types are Amazon's types of volumes, and the largest of each in GiB.
var types = map[string]int{"standard": 1024, "gp2": 16384, "gp3": 65536, "io1": 16384, "io2": 65536, "st1": 16384, "sc1": 16384}

func checkVolume(v terraform.Volume, bad terraform.Complain) {
	kind, iops := volumeType(v)
	largest, known := types[kind]
	field := terraform.FieldOf(v)
	switch {
	case !known:
		bad(field+"VolumeType", "there is no type of volume "+v.Type, "use gp3, io2 or standard")
	case v.Size > largest:
		bad(field+"VolumeSize", fmt.Sprintf("a volume of type %s has at most %d GB, not %d", kind, largest, v.Size), "choose another "+field+"VolumeType")
	case (kind == "io1" || kind == "io2") && iops == 0:
		bad(field+"VolumeIOPS", field+"VolumeType "+v.Type+" needs "+field+"VolumeIOPS", fmt.Sprintf(`add "%sVolumeIOPS": "1000"`, field))
	}
}
