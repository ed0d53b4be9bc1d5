# One security group for each group of nodes, with the ports that their role
# needs. The group "all" is every node's: it is what "other nodes" means.
locals {
  # One rule for each network; rules for other nodes have no network.
  rules = merge([
    for group, ports in var.ports : merge([
      for name, port in ports : length(port.source) == 0 ? {
        "${group}/${name}" = merge(port, { group = group, name = name, cidr = null })
        } : {
        for cidr in port.source : "${group}/${name}/${cidr}" => merge(port, { group = group, name = name, cidr = cidr })
      }
    ]...)
  ]...)
}

resource "aws_security_group" "nodes" {
  for_each    = var.ports
  name        = "${var.name}-${each.key}"
  description = "icm: ${each.key} nodes of ${var.name}"
  vpc_id      = local.vpc_id
  tags        = { Name = "${var.name}-${each.key}" }
}

resource "aws_vpc_security_group_ingress_rule" "port" {
  for_each                     = local.rules
  security_group_id            = aws_security_group.nodes[each.value.group].id
  description                  = each.value.name
  ip_protocol                  = each.value.protocol
  from_port                    = each.value.from
  to_port                      = each.value.to
  cidr_ipv4                    = each.value.cidr
  referenced_security_group_id = each.value.cidr == null ? aws_security_group.nodes["all"].id : null
}

resource "aws_vpc_security_group_egress_rule" "all" {
  security_group_id = aws_security_group.nodes["all"].id
  description       = "everything"
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}
