variable "name" {
  description = "Label-Role-Tag of the definition."
  type        = string
}

variable "tags" {
  description = "Labels of everything that is made."
  type        = map(string)
}

variable "project" {
  description = "Project that the nodes belong to."
  type        = string
}

variable "region" {
  description = "Region of the nodes."
  type        = string
}

variable "network" {
  description = "What the deployment's network says of itself."
  type        = object({ subnetwork = string, tag = string })
}

variable "public_key" {
  description = "Public key, in OpenSSH format, that opens the nodes."
  type        = string
}

variable "nodes" {
  description = "The nodes, by machine name."
  type = map(object({
    instance     = string
    group        = string
    zone         = string
    user         = string
    image        = string
    machine_type = string
    os           = object({ size = number, type = string })
    volumes      = map(object({ disk = string, size = number, type = string }))
  }))
}

variable "user_data" {
  description = "What cloud-init does at the first start, by machine name. It holds the first host key."
  type        = map(string)
  sensitive   = true
}

variable "balancers" {
  description = "The load balancers, by machine name."
  type = map(object({
    short_name = string
    port       = number
    health     = object({ protocol = string, port = number, path = string })
    nodes      = list(string)
  }))
}
