# vSphere's networks are there already. What the nodes share is a folder.
data "vsphere_datacenter" "this" {
  name = var.datacenter
}

resource "vsphere_folder" "this" {
  path          = var.name
  type          = "vm"
  datacenter_id = data.vsphere_datacenter.this.id
}
