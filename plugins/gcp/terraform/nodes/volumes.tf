# Volumes are resources of their own, so that they outlive their node.
locals {
  volumes = merge([
    for name, node in var.nodes : {
      for purpose, volume in node.volumes : "${name}/${purpose}" => merge(volume, { node = name, purpose = purpose, zone = node.zone })
    }
  ]...)
}

resource "google_compute_disk" "volume" {
  for_each = local.volumes
  name     = each.value.disk
  zone     = each.value.zone
  type     = each.value.type
  size     = each.value.size
}

resource "google_compute_attached_disk" "volume" {
  for_each    = local.volumes
  disk        = google_compute_disk.volume[each.key].self_link
  instance    = google_compute_instance.node[each.value.node].self_link
  device_name = each.value.purpose
}
