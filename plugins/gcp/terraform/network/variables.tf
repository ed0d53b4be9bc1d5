variable "name" {
  description = "Label-Tag of the deployment, the name of everything that its nodes share."
  type        = string
}

variable "short_name" {
  description = "The same, as Google wants names."
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

variable "zones" {
  description = "Zones of the nodes."
  type        = list(string)
}

variable "ports" {
  description = "For each group of nodes the ports that are open, by name. Source is a list of networks, or empty for the other nodes."
  type = map(map(object({
    protocol = string
    from     = number
    to       = number
    source   = list(string)
  })))
}

variable "probed" {
  description = "For each group of nodes the ports that load balancers check."
  type        = map(list(number))
}
