variable "name" {
  description = "Label-Tag of the deployment, the name of everything that its nodes share."
  type        = string
}

variable "tags" {
  description = "Tags of everything that is made."
  type        = map(string)
}

variable "region" {
  description = "Region of the nodes."
  type        = string
}

variable "zones" {
  description = "Availability zones, in the order of their subnets' numbers."
  type        = list(string)
}

variable "vpc_id" {
  description = "Network there is already; empty makes one."
  type        = string
}

variable "vpc_cidr" {
  description = "Addresses of the network that is made."
  type        = string
}

variable "subnet_cidr" {
  description = "Addresses of the subnets, with %d for the number of the zone."
  type        = string
}

variable "public_key" {
  description = "Public key, in OpenSSH format, that opens the nodes."
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
