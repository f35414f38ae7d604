# One HTTP API before two services, by path: API Gateway finds the tasks of each in Cloud Map, without a load balancer.
provider "aws" {
  region = "eu-west-1"
}

locals {
  services = { orders = 2, billing = 2 }
}

module "network" {
  source = "../modules/network"
  name   = "paths"
}

resource "aws_ecs_cluster" "this" {
  name = "paths"
}

resource "aws_service_discovery_private_dns_namespace" "this" {
  name = "paths.internal"
  vpc  = module.network.vpc_id
}

resource "aws_service_discovery_service" "this" {
  for_each = local.services
  name     = each.key

  dns_config {
    namespace_id = aws_service_discovery_private_dns_namespace.this.id
    dns_records {
      type = "SRV"
      ttl  = 10
    }
  }
}

module "service" {
  for_each     = local.services
  source       = "../modules/service"
  name         = each.key
  cluster      = aws_ecs_cluster.this.arn
  network      = module.network
  tasks        = each.value
  port         = 8080
  registry_arn = aws_service_discovery_service.this[each.key].arn
  environment  = { DRAIN_SECONDS = "8" } # longer than the gateway caches its tasks
}

resource "aws_apigatewayv2_api" "this" {
  name          = "paths"
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_vpc_link" "this" {
  name               = "paths"
  subnet_ids         = module.network.subnet_ids
  security_group_ids = []
}

resource "aws_apigatewayv2_integration" "this" {
  for_each           = local.services
  api_id             = aws_apigatewayv2_api.this.id
  integration_type   = "HTTP_PROXY"
  integration_method = "ANY"
  integration_uri    = aws_service_discovery_service.this[each.key].arn
  connection_type    = "VPC_LINK"
  connection_id      = aws_apigatewayv2_vpc_link.this.id
}

resource "aws_apigatewayv2_route" "this" {
  for_each = merge([for name in keys(local.services) : {
    "ANY /${name}"          = name
    "ANY /${name}/{proxy+}" = name
  }]...)
  api_id    = aws_apigatewayv2_api.this.id
  route_key = each.key
  target    = "integrations/${aws_apigatewayv2_integration.this[each.value].id}"
}

resource "aws_apigatewayv2_stage" "this" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = "$default"
  auto_deploy = true
}

# What `lab run --target` and `locust -H` read in the file that `terraform output -json` writes.
output "gateway_url" {
  value = aws_apigatewayv2_api.this.api_endpoint
}

output "region" {
  value = "eu-west-1"
}

output "cluster_name" {
  value = aws_ecs_cluster.this.name
}

output "service_name" {
  value = "orders"
}
