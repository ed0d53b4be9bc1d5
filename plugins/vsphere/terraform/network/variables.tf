variable "name" {
  description = "Label-Tag of the deployment, the name of everything that its nodes share."
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

variable "datacenter" {
  description = "Data center of the nodes."
  type        = string
}

variable "zones" {
  description = "Not used: vSphere has no zones."
  type        = list(string)
}
