variable "name" {
  description = "Label-Role-Tag of the definition."
  type        = string
}

variable "tags" {
  description = "Not used: vSphere's tags are made by its administrator."
  type        = map(string)
}

variable "server" {
  description = "vCenter server."
  type        = string
}

variable "network" {
  description = "What the deployment's network says of itself."
  type        = object({ datacenter_id = string, folder = string })
}

variable "nodes" {
  description = "The nodes, by machine name. Sizes are in GiB, memory in MiB."
  type = map(object({
    template          = string
    guest_id          = string
    cpus              = number
    memory            = number
    network           = string
    resource_pool     = string
    datastore_cluster = string
    host              = string
    domain            = string
    dns_servers       = list(string)
    dns_suffixes      = list(string)
    controllers       = number
    disks             = list(object({ label = string, size = number, unit = number, thin = bool, eager = bool }))
    cloud_init        = bool
    minutes           = object({ clone = number, customize = number, network = number, shutdown = number, migrate = number })
    storage_drs       = object({ enabled = string, automation = string, affinity = string })
  }))
}

variable "user_data" {
  description = "What cloud-init does at the first start, by machine name. It holds the first host key."
  type        = map(string)
  sensitive   = true
}
