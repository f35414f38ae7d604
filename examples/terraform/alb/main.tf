# Two services behind one load balancer: /orders and what is below it is `orders`, everything else `shop`.
provider "aws" {
  region = "eu-west-1"
}

locals {
  services = {
    shop   = { tasks = 2, paths = null }
    orders = { tasks = 3, paths = ["/orders", "/orders/*"] }
  }
}

module "network" {
  source = "../modules/network"
  name   = "alb"
}

resource "aws_ecs_cluster" "this" {
  name = "alb"
}

resource "aws_lb" "this" {
  name     = "shop"
  internal = true
  subnets  = module.network.subnet_ids
}

resource "aws_lb_target_group" "this" {
  for_each             = local.services
  name                 = each.key
  port                 = 8080
  protocol             = "HTTP"
  target_type          = "ip"
  vpc_id               = module.network.vpc_id
  deregistration_delay = 5

  health_check {
    path                = "/ready"
    interval            = 5
    timeout             = 2
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

resource "aws_lb_listener" "this" {
  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this["shop"].arn
  }
}

resource "aws_lb_listener_rule" "this" {
  for_each     = { for name, service in local.services : name => service.paths if service.paths != null }
  listener_arn = aws_lb_listener.this.arn
  priority     = 10

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this[each.key].arn
  }

  condition {
    path_pattern {
      values = each.value
    }
  }
}

resource "aws_lb_listener_rule" "closed" {
  listener_arn = aws_lb_listener.this.arn
  priority     = 1

  action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "closed"
      status_code  = "404"
    }
  }

  condition {
    path_pattern {
      values = ["/admin*"]
    }
  }
}

module "service" {
  for_each         = local.services
  source           = "../modules/service"
  name             = each.key
  cluster          = aws_ecs_cluster.this.arn
  network          = module.network
  tasks            = each.value.tasks
  port             = 8080
  target_group_arn = aws_lb_target_group.this[each.key].arn
  depends_on       = [aws_lb_listener.this]
  environment      = { DRAIN_SECONDS = "5" }
}

output "dns_name" {
  value = aws_lb.this.dns_name
}
