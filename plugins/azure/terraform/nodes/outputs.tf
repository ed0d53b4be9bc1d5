output "nodes" {
  description = "The nodes that exist, and how they are reached."
  value = {
    for name, node in azurerm_linux_virtual_machine.node : name => {
      id         = node.id
      address    = azurerm_public_ip.node[name].ip_address
      private    = azurerm_network_interface.node[name].private_ip_address
      dns        = ""
      state      = "" # Azure tells that elsewhere
      identities = { for key, disk in azurerm_virtual_machine_data_disk_attachment.volume : split("/", key)[1] => tostring(disk.lun) if split("/", key)[0] == name }
    }
  }
}

output "balancers" {
  description = "The load balancers that exist."
  value = {
    for name, address in azurerm_public_ip.balancer : name => {
      address = address.ip_address
      dns     = ""
    }
  }
}
