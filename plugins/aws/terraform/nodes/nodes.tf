resource "aws_instance" "node" {
  for_each               = var.nodes
  ami                    = each.value.ami
  instance_type          = each.value.instance_type
  availability_zone      = each.value.zone
  subnet_id              = var.network.subnets[each.value.zone]
  vpc_security_group_ids = [var.network.groups["all"], var.network.groups[each.value.group]]
  key_name               = var.network.key_name
  user_data              = var.user_data[each.key]
  tags                   = { Name = each.key }

  root_block_device {
    volume_size = each.value.os.size
    volume_type = each.value.os.type
    iops        = each.value.os.iops > 0 ? each.value.os.iops : null
    encrypted   = true
    tags        = merge(var.tags, { Name = "${each.key}/os" })
  }

  # The first host key is in the user data: only the machine itself may read it.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  # User data counts at the first start only.
  lifecycle {
    ignore_changes = [user_data]
  }
}

resource "aws_eip" "node" {
  for_each = { for name, node in var.nodes : name => node if node.elastic_ip }
  domain   = "vpc"
  tags     = { Name = each.key }
}

resource "aws_eip_association" "node" {
  for_each      = aws_eip.node
  allocation_id = each.value.id
  instance_id   = aws_instance.node[each.key].id
}
