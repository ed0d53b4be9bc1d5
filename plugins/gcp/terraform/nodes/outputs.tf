output "nodes" {
  description = "The nodes that exist, and how they are reached."
  value = {
    for name, node in google_compute_instance.node : name => {
      id         = node.id
      address    = google_compute_address.node[name].address
      private    = node.network_interface[0].network_ip
      dns        = ""
      state      = node.current_status
      identities = { for key, disk in google_compute_attached_disk.volume : split("/", key)[1] => disk.device_name if split("/", key)[0] == name }
    }
  }
}

output "balancers" {
  description = "The load balancers that exist."
  value = {
    for name, address in google_compute_address.balancer : name => {
      address = address.address
      dns     = ""
    }
  }
}
