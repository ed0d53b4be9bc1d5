# One security group for each role: a network interface has one only, so the
# ports of all nodes are in each of them. Rules are joined by protocol and
# source, so that their priorities stay the same whatever ports come and go.
locals {
  groups = setsubtract(keys(var.ports), ["all"])

  ports = {
    for group in local.groups : group => concat(values(var.ports["all"]), values(var.ports[group]))
  }

  kinds = {
    outside-tcp = { protocol = "tcp", outside = true, priority = 100 }
    outside-udp = { protocol = "udp", outside = true, priority = 110 }
    nodes-tcp   = { protocol = "tcp", outside = false, priority = 120 }
    nodes-udp   = { protocol = "udp", outside = false, priority = 130 }
  }

  rules = {
    for rule in flatten([
      for group, ports in local.ports : [
        for name, kind in local.kinds : merge(kind, {
          group = group
          name  = name
          ports = distinct([
            for port in ports : port.from == port.to ? tostring(port.from) : "${port.from}-${port.to}"
            if port.protocol == kind.protocol && (length(port.source) > 0) == kind.outside
          ])
          source = kind.outside ? distinct(flatten([for port in ports : port.source])) : local.subnet_cidrs
        })
      ]
    ]) : "${rule.group}/${rule.name}" => rule if length(rule.ports) > 0
  }
}

resource "azurerm_network_security_group" "nodes" {
  for_each            = local.groups
  name                = "${var.name}-${each.key}"
  location            = var.location
  resource_group_name = local.resource_group
  tags                = var.tags
}

resource "azurerm_network_security_rule" "port" {
  for_each                    = local.rules
  name                        = each.value.name
  priority                    = each.value.priority
  direction                   = "Inbound"
  access                      = "Allow"
  protocol                    = title(each.value.protocol)
  source_port_range           = "*"
  source_address_prefixes     = each.value.source
  destination_port_ranges     = each.value.ports
  destination_address_prefix  = "*"
  resource_group_name         = local.resource_group
  network_security_group_name = azurerm_network_security_group.nodes[each.value.group].name
}

# Azure opens everything within a network, unless it is closed.
resource "azurerm_network_security_rule" "balancer" {
  for_each                    = local.groups
  name                        = "load-balancer"
  priority                    = 4095
  direction                   = "Inbound"
  access                      = "Allow"
  protocol                    = "*"
  source_port_range           = "*"
  source_address_prefix       = "AzureLoadBalancer"
  destination_port_range      = "*"
  destination_address_prefix  = "*"
  resource_group_name         = local.resource_group
  network_security_group_name = azurerm_network_security_group.nodes[each.key].name
}

resource "azurerm_network_security_rule" "closed" {
  for_each                    = local.groups
  name                        = "closed"
  priority                    = 4096
  direction                   = "Inbound"
  access                      = "Deny"
  protocol                    = "*"
  source_port_range           = "*"
  source_address_prefix       = "*"
  destination_port_range      = "*"
  destination_address_prefix  = "*"
  resource_group_name         = local.resource_group
  network_security_group_name = azurerm_network_security_group.nodes[each.key].name
}
