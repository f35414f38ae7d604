# One ECS service on Fargate, behind whatever it is registered with: a target group, a Cloud Map service, or nothing.
variable "name" {
  type = string
}

variable "cluster" {
  type = string
}

variable "network" {
  type = object({ vpc_id = string, subnet_ids = list(string) })
}

variable "tasks" {
  type    = number
  default = 2
}

variable "port" {
  type        = number
  default     = null
  description = "None: a worker, which nobody calls."
}

variable "environment" {
  type    = map(string)
  default = {}
}

variable "target_group_arn" {
  type    = string
  default = null
}

variable "registry_arn" {
  type    = string
  default = null
}

variable "allow" {
  type        = list(string)
  default     = []
  description = "Actions on the stack's own resources that its tasks may take."
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "allow" {
  count = length(var.allow) > 0 ? 1 : 0
  statement {
    actions   = var.allow
    resources = ["*"]
  }
}

resource "aws_iam_role" "this" {
  for_each           = toset(["execution", "task"])
  name_prefix        = "${var.name}-${each.key}-"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.this["execution"].name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

resource "aws_iam_role_policy" "task" {
  count  = length(var.allow) > 0 ? 1 : 0
  role   = aws_iam_role.this["task"].name
  policy = data.aws_iam_policy_document.allow[0].json
}

resource "aws_security_group" "this" {
  name_prefix = "${var.name}-"
  vpc_id      = var.network.vpc_id

  dynamic "ingress" {
    for_each = var.port[*]
    content {
      from_port   = ingress.value
      to_port     = ingress.value
      protocol    = "tcp"
      cidr_blocks = ["10.0.0.0/8"]
    }
  }

  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_ecs_task_definition" "this" {
  family                   = var.name
  network_mode             = "awsvpc"
  requires_compatibilities = ["FARGATE"]
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = aws_iam_role.this["execution"].arn
  task_role_arn            = aws_iam_role.this["task"].arn
  container_definitions = jsonencode([{
    name         = "app"
    image        = "${var.name}:1"
    essential    = true
    stopTimeout  = 60
    portMappings = [for port in var.port[*] : { containerPort = port, protocol = "tcp" }]
    environment  = [for name, value in var.environment : { name = name, value = value }]
  }])
}

resource "aws_ecs_service" "this" {
  name            = var.name
  cluster         = var.cluster
  task_definition = aws_ecs_task_definition.this.arn
  desired_count   = var.tasks
  launch_type     = "FARGATE"

  network_configuration {
    subnets         = var.network.subnet_ids
    security_groups = [aws_security_group.this.id]
  }

  dynamic "load_balancer" {
    for_each = var.target_group_arn[*]
    content {
      target_group_arn = load_balancer.value
      container_name   = "app"
      container_port   = var.port
    }
  }

  dynamic "service_registries" {
    for_each = var.registry_arn[*]
    content {
      registry_arn   = service_registries.value
      container_name = "app"
      container_port = var.port
    }
  }
}
