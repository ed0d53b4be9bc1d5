# Credentials come from the environment, never from a file beside this one.
provider "aws" {
  region = var.region

  default_tags {
    tags = var.tags
  }
}
