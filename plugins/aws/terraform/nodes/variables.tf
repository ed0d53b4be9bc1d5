variable "name" {
  description = "Label-Role-Tag of the definition."
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

variable "network" {
  description = "What the deployment's network says of itself."
  type = object({
    vpc_id   = string
    subnets  = map(string)
    groups   = map(string)
    key_name = string
  })
}

variable "nodes" {
  description = "The nodes, by machine name."
  type = map(object({
    group         = string
    zone          = string
    ami           = string
    instance_type = string
    elastic_ip    = bool
    os            = object({ size = number, type = string, iops = number })
    volumes = map(object({
      device = string
      size   = number
      type   = string
      iops   = number
    }))
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
