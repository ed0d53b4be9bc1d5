# One firewall rule for each port of each group of nodes. The network's name is
# the tag of all nodes: it is what "other nodes" means.
locals {
  rules = merge([
    for group, ports in var.ports : { for name, port in ports : "${group}/${name}" => merge(port, { group = group, name = name }) }
  ]...)

  # Where the checks of Google's passthrough load balancers come from.
  probes = ["35.191.0.0/16", "209.85.152.0/22", "209.85.204.0/22"]
}

resource "google_compute_firewall" "port" {
  for_each      = local.rules
  name          = lower("${var.short_name}-${each.value.group}-${each.value.name}")
  network       = google_compute_network.this.id
  target_tags   = [each.value.group == "all" ? var.short_name : lower("${var.short_name}-${each.value.group}")]
  source_ranges = length(each.value.source) == 0 ? null : each.value.source
  source_tags   = length(each.value.source) == 0 ? [var.short_name] : null

  allow {
    protocol = each.value.protocol
    ports    = [each.value.from == each.value.to ? tostring(each.value.from) : "${each.value.from}-${each.value.to}"]
  }
}

resource "google_compute_firewall" "probe" {
  for_each      = var.probed
  name          = lower("${var.short_name}-${each.key}-probe")
  network       = google_compute_network.this.id
  target_tags   = [lower("${var.short_name}-${each.key}")]
  source_ranges = local.probes

  allow {
    protocol = "tcp"
    ports    = [for port in each.value : tostring(port)]
  }
}
