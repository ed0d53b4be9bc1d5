# What is there already is looked up, and never changed: the resource group, the
# virtual network in it, or one subnet.
locals {
  makes_network  = var.virtual_network == "" && var.subnet.name == ""
  resource_group = var.resource_group == "" ? azurerm_resource_group.this[0].name : data.azurerm_resource_group.existing[0].name
  subnet_id      = var.subnet.name == "" ? azurerm_subnet.this[0].id : data.azurerm_subnet.existing[0].id
  subnet_cidrs   = var.subnet.name == "" ? [var.subnet_cidr] : data.azurerm_subnet.existing[0].address_prefixes
}

resource "azurerm_resource_group" "this" {
  count    = var.resource_group == "" ? 1 : 0
  name     = var.name
  location = var.location
  tags     = var.tags
}

data "azurerm_resource_group" "existing" {
  count = var.resource_group == "" ? 0 : 1
  name  = var.resource_group
}

resource "azurerm_virtual_network" "this" {
  count               = local.makes_network ? 1 : 0
  name                = var.name
  location            = var.location
  resource_group_name = local.resource_group
  address_space       = [var.network_cidr]
  tags                = var.tags
}

data "azurerm_virtual_network" "existing" {
  count               = var.virtual_network == "" || var.subnet.name != "" ? 0 : 1
  name                = var.virtual_network
  resource_group_name = local.resource_group
}

# One subnet reaches all zones of a region.
resource "azurerm_subnet" "this" {
  count                = var.subnet.name == "" ? 1 : 0
  name                 = var.name
  resource_group_name  = local.resource_group
  virtual_network_name = local.makes_network ? azurerm_virtual_network.this[0].name : data.azurerm_virtual_network.existing[0].name
  address_prefixes     = [var.subnet_cidr]
}

data "azurerm_subnet" "existing" {
  count                = var.subnet.name == "" ? 0 : 1
  name                 = var.subnet.name
  virtual_network_name = var.subnet.virtual_network
  resource_group_name  = var.subnet.resource_group
}
