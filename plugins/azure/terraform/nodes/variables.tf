variable "name" {
  description = "Label-Role-Tag of the definition."
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

variable "network" {
  description = "What the deployment's network says of itself."
  type = object({
    resource_group = string
    subnet_id      = string
    groups         = map(string)
  })
}

variable "public_key" {
  description = "Public key, in OpenSSH format, that opens the nodes."
  type        = string
}

variable "nodes" {
  description = "The nodes, by machine name. An image is named by its id, or by publisher, offer, sku and version."
  type = map(object({
    group    = string
    zone     = string
    size     = string
    user     = string
    image_id = string
    image    = object({ publisher = string, offer = string, sku = string, version = string })
    os       = object({ size = number, type = string })
    volumes  = map(object({ lun = number, size = number, type = string }))
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
    port   = number
    health = object({ protocol = string, port = number, path = string })
    nodes  = list(string)
  }))
}
