package simulated

import (
	"fmt"
	"strings"
)

// vsphere is what is known of vCenter, from the provider's documentation.
var vsphere = cloud{
	credentials: [][]string{{"VSPHERE_USER", "VSPHERE_PASSWORD"}},
	defaults:    map[string]string{"user": "VSPHERE_USER", "password": "VSPHERE_PASSWORD"},
	id:          func(_ string, o, _ object) string { return vsphereID(o) },
	values:      vsphereValues,
	find:        vsphereFind,
	rules: map[string]rule{
		"vsphere_folder": {forceNew: []string{"type", "datacenter_id"}},
		"vsphere_virtual_machine": {
			forceNew: []string{"clone.0.template_uuid", "firmware"}, required: []string{"network_interface.*.network_id", "disk.*.label", "datastore_cluster_id|datastore_id"},
			grows: []string{"disk.*.size"}, check: vsphereDisks,
		},
		"vsphere_storage_drs_vm_override": {
			forceNew: []string{"datastore_cluster_id", "virtual_machine_id"}, refers: map[string]string{"virtual_machine_id": "vsphere_virtual_machine"},
		},
	},
}

// vsphereID: a machine's UUID. A name is there once in a folder.
func vsphereID(o object) string {
	name := o.text("folder") + "/" + o.text("name")
	if machine := o.text("virtual_machine_id"); machine != "" {
		return o.text("datastore_cluster_id") + ":" + machine
	}
	return uuidOf(name)
}

func uuidOf(s string) string {
	a, b := sumOf(s), sumOf(s+"'")
	return fmt.Sprintf("42%06x-%04x-%04x-%04x-%012x", a&0xffffff, a>>24&0xffff, a>>40&0xffff, b&0xffff, b>>16&0xffffffffffff)
}

func vsphereValues(i invention) (any, bool) {
	leaf := i.leaf()
	switch {
	case leaf == "uuid" && strings.HasPrefix(i.path, "disk."):
		return "6000C29" + uuidOf(i.id + i.path)[7:], true
	case leaf == "uuid":
		return i.id, true
	case leaf == "default_ip_address":
		return i.text(i.sum() % 250), true
	case leaf == "guest_ip_addresses":
		return []any{i.text(i.sum() % 250)}, true
	case leaf == "swap_placement_policy":
		return "inherit", true
	case leaf == "power_state":
		return "on", true
	}
	return nil, false
}

// vsphereFind: what a data center holds is always there.
func vsphereFind(_ *server, kind string, asked object) (object, error) {
	id := strings.TrimPrefix(kind, "vsphere_") + "-" + fmt.Sprint(sumOf(kind+asked.text("name"))%10000)
	found := object{"id": id}
	if kind == "vsphere_virtual_machine" {
		found["id"] = uuidOf(asked.text("name"))
		found["guest_id"], found["scsi_type"], found["firmware"] = "centos64Guest", "pvscsi", "bios"
		found["disks"] = []any{map[string]any{"size": 16, "unit_number": 0, "label": "disk0", "eagerly_scrub": false, "thin_provisioned": true}}
		found["network_interface_types"] = []any{"vmxnet3"}
	}
	return found, nil
}

// vsphereDisks: every disk has a place of its own, on a controller there is.
func vsphereDisks(o object) string {
	controllers := int(number(o["scsi_controller_count"]))
	if controllers == 0 {
		controllers = 1
	}
	units := at(o, "disk.*.unit_number")
	if hasUnknown(units) {
		return ""
	}
	seen := map[int]bool{}
	for _, v := range units {
		unit := int(number(v))
		if seen[unit] {
			return fmt.Sprintf("two disks have the unit number %d", unit)
		}
		seen[unit] = true
		if unit >= 15*controllers {
			return fmt.Sprintf("unit number %d needs more than %d SCSI controllers", unit, controllers)
		}
	}
	if !seen[0] {
		return "one disk must have the unit number 0"
	}
	return ""
}
