locals {
  vpc_id     = var.vpc_id == "" ? aws_vpc.this[0].id : var.vpc_id
  gateway_id = var.vpc_id == "" ? aws_internet_gateway.this[0].id : data.aws_internet_gateway.existing[0].id
}

resource "aws_vpc" "this" {
  count                = var.vpc_id == "" ? 1 : 0
  cidr_block           = var.vpc_cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = { Name = var.name }
}

resource "aws_internet_gateway" "this" {
  count  = var.vpc_id == "" ? 1 : 0
  vpc_id = aws_vpc.this[0].id
  tags   = { Name = var.name }
}

# A network there is already has its way out already.
data "aws_internet_gateway" "existing" {
  count = var.vpc_id == "" ? 0 : 1

  filter {
    name   = "attachment.vpc-id"
    values = [var.vpc_id]
  }
}

resource "aws_subnet" "zone" {
  for_each                = { for number, zone in var.zones : zone => number }
  vpc_id                  = local.vpc_id
  availability_zone       = each.key
  cidr_block              = format(var.subnet_cidr, each.value)
  map_public_ip_on_launch = true
  tags                    = { Name = "${var.name}-${each.key}" }
}

resource "aws_route_table" "this" {
  vpc_id = local.vpc_id
  tags   = { Name = var.name }

  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = local.gateway_id
  }
}

resource "aws_route_table_association" "zone" {
  for_each       = aws_subnet.zone
  subnet_id      = each.value.id
  route_table_id = aws_route_table.this.id
}

resource "aws_key_pair" "this" {
  key_name   = var.name
  public_key = var.public_key
}
