output "network" {
  description = "What the nodes need to know."
  value = {
    vpc_id   = local.vpc_id
    subnets  = { for zone, subnet in aws_subnet.zone : zone => subnet.id }
    groups   = { for name, group in aws_security_group.nodes : name => group.id }
    key_name = aws_key_pair.this.key_name
  }
}
