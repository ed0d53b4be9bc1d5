# Volumes are resources of their own, so that they outlive their node.
locals {
  volumes = merge([
    for name, node in var.nodes : {
      for purpose, volume in node.volumes : "${name}/${purpose}" => merge(volume, { node = name, zone = node.zone })
    }
  ]...)
}

resource "aws_ebs_volume" "volume" {
  for_each          = local.volumes
  availability_zone = each.value.zone
  size              = each.value.size
  type              = each.value.type
  iops              = each.value.iops > 0 ? each.value.iops : null
  encrypted         = true
  tags              = { Name = each.key }
}

resource "aws_volume_attachment" "volume" {
  for_each                       = local.volumes
  device_name                    = each.value.device
  volume_id                      = aws_ebs_volume.volume[each.key].id
  instance_id                    = aws_instance.node[each.value.node].id
  stop_instance_before_detaching = true
}
