resource "aws_lb" "balancer" {
  for_each           = var.balancers
  name               = each.value.short_name
  load_balancer_type = "network"
  subnets            = [for zone in sort(distinct([for name in each.value.nodes : var.nodes[name].zone])) : var.network.subnets[zone]]
  tags               = { Name = each.key }
}

resource "aws_lb_target_group" "balancer" {
  for_each = var.balancers
  name     = each.value.short_name
  port     = each.value.port
  protocol = "TCP"
  vpc_id   = var.network.vpc_id
  tags     = { Name = each.key }

  health_check {
    protocol = upper(each.value.health.protocol)
    port     = each.value.health.port
    path     = each.value.health.protocol == "tcp" ? null : each.value.health.path
  }
}

resource "aws_lb_listener" "balancer" {
  for_each          = var.balancers
  load_balancer_arn = aws_lb.balancer[each.key].arn
  port              = each.value.port
  protocol          = "TCP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.balancer[each.key].arn
  }
}

resource "aws_lb_target_group_attachment" "node" {
  for_each = merge([
    for balancer, b in var.balancers : { for name in b.nodes : "${name}/${balancer}" => { balancer = balancer, node = name } }
  ]...)
  target_group_arn = aws_lb_target_group.balancer[each.value.balancer].arn
  target_id        = aws_instance.node[each.value.node].id
}
