output "network" {
  description = "What the nodes need to know."
  value = {
    resource_group = local.resource_group
    subnet_id      = local.subnet_id
    groups         = { for name, group in azurerm_network_security_group.nodes : name => group.id }
  }
}
