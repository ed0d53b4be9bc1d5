variable "name" {
  description = "Label-Tag of the deployment, the name of everything that its nodes share."
  type        = string
}

variable "tags" {
  description = "Tags of everything that is made."
  type        = map(string)
}

variable "subscription_id" {
  description = "Subscription that pays."
  type        = string
}

variable "location" {
  description = "Region of the nodes."
  type        = string
}

variable "zones" {
  description = "Zones of the nodes."
  type        = list(string)
}

variable "resource_group" {
  description = "Resource group there is already; empty makes one."
  type        = string
}

variable "virtual_network" {
  description = "Virtual network there is already, in that resource group; empty makes one."
  type        = string
}

variable "subnet" {
  description = "Subnet there is already; an empty name makes one."
  type        = object({ resource_group = string, virtual_network = string, name = string })
}

variable "network_cidr" {
  description = "Addresses of the network that is made."
  type        = string
}

variable "subnet_cidr" {
  description = "Addresses of the subnet that is made."
  type        = string
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
