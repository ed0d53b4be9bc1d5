locals {
  # Instances are grouped by zone.
  groups = merge([
    for balancer, b in var.balancers : {
      for zone in distinct([for name in b.nodes : var.nodes[name].zone]) : "${balancer}/${zone}" => {
        balancer = balancer
        zone     = zone
        nodes    = [for name in b.nodes : name if var.nodes[name].zone == zone]
      }
    }
  ]...)
}

resource "google_compute_address" "balancer" {
  for_each = var.balancers
  name     = each.value.short_name
  region   = var.region
}

resource "google_compute_region_health_check" "balancer" {
  for_each = var.balancers
  name     = each.value.short_name
  region   = var.region

  dynamic "tcp_health_check" {
    for_each = each.value.health.protocol == "tcp" ? [each.value.health] : []
    content {
      port = tcp_health_check.value.port
    }
  }

  dynamic "http_health_check" {
    for_each = each.value.health.protocol == "http" ? [each.value.health] : []
    content {
      port         = http_health_check.value.port
      request_path = http_health_check.value.path
    }
  }
}

resource "google_compute_instance_group" "balancer" {
  for_each  = local.groups
  name      = "${var.balancers[each.value.balancer].short_name}-${each.value.zone}"
  zone      = each.value.zone
  instances = [for name in each.value.nodes : google_compute_instance.node[name].self_link]
}

resource "google_compute_region_backend_service" "balancer" {
  for_each              = var.balancers
  name                  = each.value.short_name
  region                = var.region
  protocol              = "TCP"
  load_balancing_scheme = "EXTERNAL"
  health_checks         = [google_compute_region_health_check.balancer[each.key].id]

  dynamic "backend" {
    for_each = [for key, group in local.groups : key if group.balancer == each.key]
    content {
      group          = google_compute_instance_group.balancer[backend.value].self_link
      balancing_mode = "CONNECTION"
    }
  }
}

resource "google_compute_forwarding_rule" "balancer" {
  for_each              = var.balancers
  name                  = each.value.short_name
  region                = var.region
  ip_address            = google_compute_address.balancer[each.key].self_link
  ip_protocol           = "TCP"
  ports                 = [tostring(each.value.port)]
  load_balancing_scheme = "EXTERNAL"
  backend_service       = google_compute_region_backend_service.balancer[each.key].id
}
