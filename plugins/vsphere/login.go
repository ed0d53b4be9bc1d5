package main

import (
	"fmt"

	"icm/plugins/internal/terraform"
)

// Environment implements terraform.Cloud: the user that the fields name, or
// what is set up already.
func (vsphere) Environment(d *terraform.Deployment, outside func(string) string) (map[string]string, error) {
	env := terraform.Taken(outside, passed)
	for variable, field := range map[string]string{"VSPHERE_USER": "VsphereUser", "VSPHERE_PASSWORD": "VspherePassword"} {
		if v := d.Global.Get(field); v != "" {
			env[variable] = v
		}
	}
	for variable, field := range map[string]string{"VSPHERE_USER": "VsphereUser", "VSPHERE_PASSWORD": "VspherePassword"} {
		if env[variable] == "" {
			return nil, fmt.Errorf("there are no credentials for vSphere: neither %s nor the variable %s is set", field, variable)
		}
	}
	return env, nil
}

// passed are the variables that the provider reads. A certificate of the site's
// own is best made known to this machine; the last variable trusts any.
var passed = []string{"VSPHERE_USER", "VSPHERE_PASSWORD", "VSPHERE_ALLOW_UNVERIFIED_SSL"}
