// Command icm-provider-vsphere is the provider of nodes in VMware vSphere.
package main

import "icm/plugins/internal/terraform"

func main() { terraform.Main(vsphere{}) }
