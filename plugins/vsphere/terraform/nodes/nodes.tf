resource "vsphere_virtual_machine" "node" {
  for_each             = var.nodes
  name                 = each.key
  folder               = var.network.folder
  resource_pool_id     = data.vsphere_resource_pool.node[each.value.resource_pool].id
  datastore_cluster_id = data.vsphere_datastore_cluster.node[each.value.datastore_cluster].id
  num_cpus             = each.value.cpus
  memory               = each.value.memory
  guest_id             = each.value.guest_id
  firmware             = data.vsphere_virtual_machine.template[each.value.template].firmware

  scsi_type             = data.vsphere_virtual_machine.template[each.value.template].scsi_type
  scsi_controller_count = each.value.controllers
  enable_disk_uuid      = true # so that the node sees which disk is which

  wait_for_guest_net_timeout = each.value.minutes.network
  shutdown_wait_timeout      = each.value.minutes.shutdown
  migrate_wait_timeout       = each.value.minutes.migrate

  network_interface {
    network_id = data.vsphere_network.node[each.value.network].id
  }

  dynamic "disk" {
    for_each = each.value.disks
    content {
      label            = disk.value.label
      size             = disk.value.size
      unit_number      = disk.value.unit
      thin_provisioned = disk.value.thin
      eagerly_scrub    = disk.value.eager
    }
  }

  clone {
    template_uuid = data.vsphere_virtual_machine.template[each.value.template].id
    timeout       = each.value.minutes.clone

    customize {
      timeout         = each.value.minutes.customize
      dns_server_list = each.value.dns_servers
      dns_suffix_list = each.value.dns_suffixes

      linux_options {
        host_name = each.value.host
        domain    = each.value.domain
      }

      network_interface {}
    }
  }

  # cloud-init reads these, in a template that has it.
  extra_config = each.value.cloud_init ? {
    "guestinfo.userdata"          = base64encode(var.user_data[each.key])
    "guestinfo.userdata.encoding" = "base64"
  } : {}

  # A template counts when a node is made, and so does user data: a template
  # that is mended must not cost a node its disks.
  lifecycle {
    ignore_changes = [clone, extra_config]
  }
}

# A machine that is to differ from its datastore cluster.
resource "vsphere_storage_drs_vm_override" "node" {
  for_each = {
    for name, node in var.nodes : name => node if join("", values(node.storage_drs)) != ""
  }
  datastore_cluster_id   = data.vsphere_datastore_cluster.node[each.value.datastore_cluster].id
  virtual_machine_id     = vsphere_virtual_machine.node[each.key].id
  sdrs_enabled           = each.value.storage_drs.enabled == "" ? null : each.value.storage_drs.enabled
  sdrs_automation_level  = each.value.storage_drs.automation == "" ? null : each.value.storage_drs.automation
  sdrs_intra_vm_affinity = each.value.storage_drs.affinity == "" ? null : each.value.storage_drs.affinity
}
