package main

import (
	"fmt"

	"icm/plugins/internal/terraform"
	"icm/plugins/provider"
)

// Check implements terraform.Cloud.
func (vsphere) Check(d *terraform.Deployment) []provider.Problem {
	c := terraform.NewChecker(d)
	c.NeedGlobal("Server", "Datacenter")
	c.EachNode(func(n *terraform.Node, bad terraform.Complain) {
		c.Need(n, "Template", "DatastoreCluster", "VCPU", "Memory", "SSHUser")
		if n.Fields.Bool("LoadBalancer") {
			bad("LoadBalancer", "vSphere has no load balancer that icm could make", "remove LoadBalancer, and put one of your own before the nodes")
		}
		count := orInt(n.Fields.Int("SCSIControllerCount"), 1)
		if count < 1 || count > 4 {
			bad("SCSIControllerCount", fmt.Sprintf("a machine has 1 to 4 SCSI controllers, not %d", count), "")
		}
		for _, v := range n.Volumes {
			field := terraform.FieldOf(v) + "VolumeSCSIController"
			if on := orInt(n.Fields.Int(field), 1); on < 1 || on > count {
				bad(field, fmt.Sprintf("%s is %d, but SCSIControllerCount is %d", field, on, count), "raise SCSIControllerCount or choose a lower controller")
			}
		}
	})
	return c.Problems()
}
