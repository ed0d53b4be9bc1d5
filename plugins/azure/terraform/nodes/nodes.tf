resource "azurerm_public_ip" "node" {
  for_each            = var.nodes
  name                = each.key
  location            = var.location
  resource_group_name = var.network.resource_group
  allocation_method   = "Static"
  sku                 = "Standard"
  zones               = each.value.zone == "" ? null : [each.value.zone]
  tags                = var.tags
}

resource "azurerm_network_interface" "node" {
  for_each            = var.nodes
  name                = each.key
  location            = var.location
  resource_group_name = var.network.resource_group
  tags                = var.tags

  ip_configuration {
    name                          = "primary"
    subnet_id                     = var.network.subnet_id
    private_ip_address_allocation = "Dynamic"
    public_ip_address_id          = azurerm_public_ip.node[each.key].id
  }
}

resource "azurerm_network_interface_security_group_association" "node" {
  for_each                  = var.nodes
  network_interface_id      = azurerm_network_interface.node[each.key].id
  network_security_group_id = var.network.groups[each.value.group]
}

resource "azurerm_linux_virtual_machine" "node" {
  for_each              = var.nodes
  name                  = each.key
  location              = var.location
  resource_group_name   = var.network.resource_group
  size                  = each.value.size
  zone                  = each.value.zone == "" ? null : each.value.zone
  admin_username        = each.value.user
  network_interface_ids = [azurerm_network_interface.node[each.key].id]
  custom_data           = base64encode(var.user_data[each.key])
  source_image_id       = each.value.image_id == "" ? null : each.value.image_id
  tags                  = var.tags

  admin_ssh_key {
    username   = each.value.user
    public_key = var.public_key
  }

  os_disk {
    caching              = "ReadWrite"
    storage_account_type = each.value.os.type
    disk_size_gb         = each.value.os.size
  }

  dynamic "source_image_reference" {
    for_each = each.value.image_id == "" ? [each.value.image] : []
    content {
      publisher = source_image_reference.value.publisher
      offer     = source_image_reference.value.offer
      sku       = source_image_reference.value.sku
      version   = source_image_reference.value.version
    }
  }

  # Nobody may reach a node before its ports are closed.
  depends_on = [azurerm_network_interface_security_group_association.node]

  # User data counts at the first start only.
  lifecycle {
    ignore_changes = [custom_data]
  }
}
