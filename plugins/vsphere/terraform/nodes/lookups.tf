# What is in the data center already.
data "vsphere_virtual_machine" "template" {
  for_each      = toset([for node in var.nodes : node.template])
  name          = each.key
  datacenter_id = var.network.datacenter_id
}

data "vsphere_network" "node" {
  for_each      = toset([for node in var.nodes : node.network])
  name          = each.key
  datacenter_id = var.network.datacenter_id
}

data "vsphere_resource_pool" "node" {
  for_each      = toset([for node in var.nodes : node.resource_pool])
  name          = each.key
  datacenter_id = var.network.datacenter_id
}

data "vsphere_datastore_cluster" "node" {
  for_each      = toset([for node in var.nodes : node.datastore_cluster])
  name          = each.key
  datacenter_id = var.network.datacenter_id
}
