resource "google_compute_network" "this" {
  name                    = var.short_name
  auto_create_subnetworks = false
}

# One subnetwork reaches all zones of a region.
resource "google_compute_subnetwork" "this" {
  name          = var.short_name
  network       = google_compute_network.this.id
  region        = var.region
  ip_cidr_range = "10.0.0.0/16"
}
