# Volumes are resources of their own, so that they outlive their node.
locals {
  volumes = merge([
    for name, node in var.nodes : {
      for purpose, volume in node.volumes : "${name}/${purpose}" => merge(volume, { node = name, purpose = purpose, zone = node.zone })
    }
  ]...)
}

resource "azurerm_managed_disk" "volume" {
  for_each             = local.volumes
  name                 = "${each.value.node}-${each.value.purpose}"
  location             = var.location
  resource_group_name  = var.network.resource_group
  zone                 = each.value.zone == "" || endswith(each.value.type, "_ZRS") ? null : each.value.zone
  storage_account_type = each.value.type
  create_option        = "Empty"
  disk_size_gb         = each.value.size
  tags                 = var.tags
}

# The place is the disk's identity on its node. Nothing is cached: journals and
# the write image journal must be on disk when they say so.
resource "azurerm_virtual_machine_data_disk_attachment" "volume" {
  for_each           = local.volumes
  managed_disk_id    = azurerm_managed_disk.volume[each.key].id
  virtual_machine_id = azurerm_linux_virtual_machine.node[each.value.node].id
  lun                = each.value.lun
  caching            = "None"
}
