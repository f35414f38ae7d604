# Blue/green with no load balancer: two ECS services in one Cloud Map service, and an integration that takes the tasks of
# one. `terraform apply -var live=green` moves all traffic in one call to API Gateway, and `-var live=blue` back.
# docs/decisions/0010-blue-green.md says what is assumed. For the twin: on AWS the tasks need an execution role too, and a
# way to their image.
variable "live" {
  type        = string
  default     = "blue"
  description = "The colour that gets requests: blue or green."
}

variable "images" {
  type        = map(string)
  default     = { blue = "orders:1", green = "orders:2" }
  description = "What each colour runs; of the one without traffic it is changed with no risk."
}

data "aws_availability_zones" "here" {
  state = "available"
}

resource "aws_vpc" "orders" {
  cidr_block = "10.30.0.0/16"
}

resource "aws_subnet" "orders" {
  count             = 2
  vpc_id            = aws_vpc.orders.id
  cidr_block        = cidrsubnet(aws_vpc.orders.cidr_block, 8, count.index)
  availability_zone = data.aws_availability_zones.here.names[count.index]
}

resource "aws_security_group" "link" {
  name_prefix = "link-"
  vpc_id      = aws_vpc.orders.id
}

resource "aws_security_group" "tasks" {
  name_prefix = "tasks-"
  vpc_id      = aws_vpc.orders.id
}

resource "aws_vpc_security_group_egress_rule" "requests" {
  security_group_id            = aws_security_group.link.id
  referenced_security_group_id = aws_security_group.tasks.id
  ip_protocol                  = "tcp"
  from_port                    = 8080
  to_port                      = 8080
}

resource "aws_vpc_security_group_ingress_rule" "requests" {
  security_group_id            = aws_security_group.tasks.id
  referenced_security_group_id = aws_security_group.link.id
  ip_protocol                  = "tcp"
  from_port                    = 8080
  to_port                      = 8080
}

resource "aws_ecs_cluster" "orders" {
  name = "orders"
}

resource "aws_service_discovery_private_dns_namespace" "orders" {
  name = "orders.internal"
  vpc  = aws_vpc.orders.id
}

# One for both colours: Service Connect would refuse the second, ECS's service discovery does not.
resource "aws_service_discovery_service" "orders" {
  name = "orders"
  dns_config {
    namespace_id   = aws_service_discovery_private_dns_namespace.orders.id
    routing_policy = "MULTIVALUE"
    dns_records {
      ttl  = 10
      type = "SRV"
    }
  }
}

resource "aws_ecs_task_definition" "orders" {
  for_each                 = var.images
  family                   = "orders-${each.key}"
  network_mode             = "awsvpc"
  requires_compatibilities = ["FARGATE"]
  cpu                      = 256
  memory                   = 512
  container_definitions = jsonencode([{
    name         = "orders"
    image        = each.value
    essential    = true
    portMappings = [{ containerPort = 8080, protocol = "tcp" }]
    environment  = [{ name = "DRAIN_SECONDS", value = "20" }]
    stopTimeout  = 60
  }])
}

resource "aws_ecs_service" "orders" {
  for_each        = var.images
  name            = "orders-${each.key}"
  cluster         = aws_ecs_cluster.orders.id
  task_definition = aws_ecs_task_definition.orders[each.key].arn
  desired_count   = 2
  launch_type     = "FARGATE"
  network_configuration {
    subnets         = aws_subnet.orders[*].id
    security_groups = [aws_security_group.tasks.id]
  }
  service_registries {
    registry_arn   = aws_service_discovery_service.orders.arn
    container_name = "orders"
    container_port = 8080
  }
  # The traffic moves when the tasks run.
  wait_for_steady_state = true
}

resource "aws_apigatewayv2_api" "orders" {
  name          = "orders"
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_vpc_link" "orders" {
  name               = "orders"
  security_group_ids = [aws_security_group.link.id]
  subnet_ids         = aws_subnet.orders[*].id
}

resource "aws_apigatewayv2_integration" "orders" {
  api_id                 = aws_apigatewayv2_api.orders.id
  integration_type       = "HTTP_PROXY"
  integration_method     = "ANY"
  integration_uri        = "${aws_service_discovery_service.orders.arn}?ECS_TASK_DEFINITION_FAMILY=orders-${var.live}"
  connection_type        = "VPC_LINK"
  connection_id          = aws_apigatewayv2_vpc_link.orders.id
  payload_format_version = "1.0"
  depends_on             = [aws_ecs_service.orders]
}

resource "aws_apigatewayv2_route" "orders" {
  api_id    = aws_apigatewayv2_api.orders.id
  route_key = "GET /hostname"
  target    = "integrations/${aws_apigatewayv2_integration.orders.id}"
}

resource "aws_apigatewayv2_stage" "orders" {
  api_id      = aws_apigatewayv2_api.orders.id
  name        = "$default"
  auto_deploy = true
}

output "gateway_url" {
  value = aws_apigatewayv2_api.orders.api_endpoint
}
