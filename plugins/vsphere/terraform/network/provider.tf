# Credentials come from the environment, never from a file beside this one.
provider "vsphere" {
  vsphere_server = var.server
}
