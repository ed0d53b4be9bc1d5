resource "azurerm_public_ip" "balancer" {
  for_each            = var.balancers
  name                = each.key
  location            = var.location
  resource_group_name = var.network.resource_group
  allocation_method   = "Static"
  sku                 = "Standard"
  tags                = var.tags
}

resource "azurerm_lb" "balancer" {
  for_each            = var.balancers
  name                = each.key
  location            = var.location
  resource_group_name = var.network.resource_group
  sku                 = "Standard"
  tags                = var.tags

  frontend_ip_configuration {
    name                 = "public"
    public_ip_address_id = azurerm_public_ip.balancer[each.key].id
  }
}

resource "azurerm_lb_backend_address_pool" "balancer" {
  for_each        = var.balancers
  name            = "nodes"
  loadbalancer_id = azurerm_lb.balancer[each.key].id
}

resource "azurerm_network_interface_backend_address_pool_association" "node" {
  for_each = merge([
    for balancer, b in var.balancers : { for name in b.nodes : "${name}/${balancer}" => { balancer = balancer, node = name } }
  ]...)
  network_interface_id    = azurerm_network_interface.node[each.value.node].id
  ip_configuration_name   = "primary"
  backend_address_pool_id = azurerm_lb_backend_address_pool.balancer[each.value.balancer].id
}

resource "azurerm_lb_probe" "balancer" {
  for_each        = var.balancers
  name            = "health"
  loadbalancer_id = azurerm_lb.balancer[each.key].id
  protocol        = title(each.value.health.protocol)
  port            = each.value.health.port
  request_path    = each.value.health.protocol == "tcp" ? null : each.value.health.path
}

resource "azurerm_lb_rule" "balancer" {
  for_each                       = var.balancers
  name                           = "forward"
  loadbalancer_id                = azurerm_lb.balancer[each.key].id
  frontend_ip_configuration_name = "public"
  protocol                       = "Tcp"
  frontend_port                  = each.value.port
  backend_port                   = each.value.port
  backend_address_pool_ids       = [azurerm_lb_backend_address_pool.balancer[each.key].id]
  probe_id                       = azurerm_lb_probe.balancer[each.key].id
}
