output "nodes" {
  description = "The nodes that exist, and how they are reached."
  value = {
    for name, node in vsphere_virtual_machine.node : name => {
      id         = node.id
      address    = node.default_ip_address
      private    = node.default_ip_address
      dns        = ""
      state      = node.power_state
      identities = { for disk in node.disk : disk.label => disk.uuid if disk.label != "os" }
    }
  }
}

output "balancers" {
  description = "vSphere has no load balancers."
  value       = {}
}
