package simulated

import (
	"fmt"
	"regexp"
	"strings"
)

// google is what is known of Google's cloud, from the provider's documentation.
var google = cloud{
	credentials: [][]string{{"GOOGLE_CREDENTIALS"}, {"GOOGLE_APPLICATION_CREDENTIALS"}, {"GOOGLE_OAUTH_ACCESS_TOKEN"}},
	id:          googleID,
	values:      googleValues,
	find: func(s *server, kind string, asked object) (object, error) {
		return s.stored(kind, func(o object) bool { return o.text("name") == asked.text("name") })
	},
	rules: map[string]rule{
		"google_compute_network": {forceNew: []string{"name", "auto_create_subnetworks"}, check: googleName},
		"google_compute_subnetwork": {
			forceNew: []string{"name", "network", "region", "ip_cidr_range"}, refers: map[string]string{"network": "google_compute_network"}, check: googleName,
		},
		"google_compute_firewall": {
			forceNew: []string{"name", "network"}, refers: map[string]string{"network": "google_compute_network"},
			required: []string{"source_ranges|source_tags", "allow.*.protocol|deny.*.protocol"}, check: googleName,
		},
		"google_compute_address": {forceNew: []string{"name", "region", "address_type"}, check: googleName},
		"google_compute_disk": {
			forceNew: []string{"name", "zone", "type", "image"}, required: []string{"zone"}, grows: []string{"size"}, check: googleName,
		},
		"google_compute_attached_disk": {
			forceNew: []string{"instance", "disk", "device_name", "zone"},
			refers:   map[string]string{"instance": "google_compute_instance", "disk": "google_compute_disk"},
		},
		"google_compute_instance": {
			forceNew: []string{"name", "zone", "boot_disk.0.initialize_params.0.image", "boot_disk.0.initialize_params.0.size", "boot_disk.0.initialize_params.0.type"},
			required: []string{"zone", "boot_disk.*.initialize_params|boot_disk.*.source", "network_interface.*.subnetwork|network_interface.*.network"},
			refers:   map[string]string{"network_interface.*.subnetwork": "google_compute_subnetwork", "attached_disk.*.source": "google_compute_disk"},
			check:    googleName,
		},
		"google_compute_instance_group": {
			forceNew: []string{"name", "zone"}, refers: map[string]string{"instances": "google_compute_instance"}, lists: []string{"instances"},
			check: googleName,
		},
		"google_compute_region_backend_service": {
			forceNew: []string{"name", "region", "load_balancing_scheme"},
			refers:   map[string]string{"health_checks": "google_compute_region_health_check", "backend.*.group": "google_compute_instance_group"}, check: googleName,
		},
		"google_compute_region_health_check": {
			forceNew: []string{"name", "region"}, required: []string{"tcp_health_check.*.port|http_health_check.*.port|https_health_check.*.port"}, check: googleName,
		},
		"google_compute_forwarding_rule": {
			forceNew: []string{"name", "region", "ip_address", "ip_protocol", "ports", "load_balancing_scheme"},
			refers:   map[string]string{"ip_address": "google_compute_address", "backend_service": "google_compute_region_backend_service"}, check: googleName,
		},
	},
}

// collections are the last but one part of the ids of objects.
var collections = map[string]string{
	"google_compute_network": "networks", "google_compute_subnetwork": "subnetworks", "google_compute_firewall": "firewalls",
	"google_compute_address": "addresses", "google_compute_disk": "disks", "google_compute_instance": "instances",
	"google_compute_instance_group": "instanceGroups", "google_compute_region_backend_service": "backendServices",
	"google_compute_region_health_check": "healthChecks", "google_compute_forwarding_rule": "forwardingRules",
}

// googleID is made of the project, the place and the name: two objects of one
// name cannot be.
func googleID(kind string, o, config object) string {
	project := config.text("project")
	if kind == "google_compute_attached_disk" {
		return fmt.Sprintf("projects/%s/zones/%s/instances/%s/%s", project, o.text("zone"), last(o.text("instance")), last(o.text("disk")))
	}
	place := "global"
	if zone := o.text("zone"); zone != "" {
		place = "zones/" + zone
	} else if region := o.text("region"); region != "" {
		place = "regions/" + region
	}
	return fmt.Sprintf("projects/%s/%s/%s/%s", project, place, collections[kind], o.text("name"))
}

func last(path string) string { return path[strings.LastIndex(path, "/")+1:] }

func googleValues(i invention) (any, bool) {
	switch leaf := i.leaf(); {
	case leaf == "self_link" && !strings.Contains(i.path, "."):
		return "https://www.googleapis.com/compute/v1/" + i.id, true
	case leaf == "project" && !strings.Contains(i.path, "."):
		return strings.Split(i.id+"//", "/")[1], true
	case leaf == "current_status":
		return "RUNNING", true
	case leaf == "effective_labels", leaf == "terraform_labels":
		return i.wanted["labels"], true
	}
	return nil, false
}

var googleNameForm = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)

func googleName(o object) string {
	if name, ok := o["name"].(string); ok && !googleNameForm.MatchString(name) {
		return fmt.Sprintf("name %q does not match %s", name, googleNameForm)
	}
	return ""
}
