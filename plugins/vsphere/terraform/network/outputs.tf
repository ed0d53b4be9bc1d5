output "network" {
  description = "What the nodes need to know."
  value = {
    datacenter_id = data.vsphere_datacenter.this.id
    folder        = vsphere_folder.this.path
  }
}
