# Credentials come from the environment, never from a file beside this one.
provider "google" {
  project        = var.project
  region         = var.region
  default_labels = { for key, value in var.tags : key => lower(value) }
}
