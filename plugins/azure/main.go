// Command icm-provider-azure is the provider of nodes in Microsoft's cloud.
package main

import "icm/plugins/internal/terraform"

func main() { terraform.Main(azure{}) }
