# Addresses of their own, so that a node keeps its address when it is stopped.
resource "google_compute_address" "node" {
  for_each = var.nodes
  name     = each.value.instance
  region   = var.region
}

resource "google_compute_instance" "node" {
  for_each                  = var.nodes
  name                      = each.value.instance
  zone                      = each.value.zone
  machine_type              = each.value.machine_type
  tags                      = [var.network.tag, "${var.network.tag}-${each.value.group}"]
  allow_stopping_for_update = true

  boot_disk {
    initialize_params {
      image = each.value.image
      size  = each.value.os.size
      type  = each.value.os.type
    }
  }

  network_interface {
    subnetwork = var.network.subnetwork

    access_config {
      nat_ip = google_compute_address.node[each.key].address
    }
  }

  # OS Login would ignore the key.
  metadata = {
    enable-oslogin = "FALSE"
    ssh-keys       = "${each.value.user}:${var.public_key}"
    user-data      = var.user_data[each.key]
  }

  # User data counts at the first start only; disks are attached below.
  lifecycle {
    ignore_changes = [metadata["user-data"], attached_disk]
  }
}
