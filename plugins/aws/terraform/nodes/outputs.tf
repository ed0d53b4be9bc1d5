output "nodes" {
  description = "The nodes that exist, and how they are reached."
  value = {
    for name, node in aws_instance.node : name => {
      id         = node.id
      address    = try(aws_eip.node[name].public_ip, node.public_ip)
      private    = node.private_ip
      dns        = try(aws_eip.node[name].public_dns, node.public_dns)
      state      = node.instance_state
      identities = { for key, volume in aws_ebs_volume.volume : split("/", key)[1] => volume.id if split("/", key)[0] == name }
    }
  }
}

output "balancers" {
  description = "The load balancers that exist."
  value = {
    for name, balancer in aws_lb.balancer : name => {
      address = ""
      dns     = balancer.dns_name
    }
  }
}
