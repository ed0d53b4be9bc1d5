output "network" {
  description = "What the nodes need to know."
  value = {
    subnetwork = google_compute_subnetwork.this.self_link
    tag        = var.short_name
  }
}
