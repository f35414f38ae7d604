# A worker without a port: it takes messages from a queue, and writes what it has done into a table.
provider "aws" {
  region = "eu-west-1"
}

module "network" {
  source = "../modules/network"
  name   = "worker"
}

resource "aws_ecs_cluster" "this" {
  name = "worker"
}

resource "aws_sqs_queue" "this" {
  name = "orders"
}

resource "aws_dynamodb_table" "this" {
  name         = "orders"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"

  attribute {
    name = "id"
    type = "S"
  }
}

module "service" {
  source  = "../modules/service"
  name    = "worker"
  cluster = aws_ecs_cluster.this.arn
  network = module.network
  tasks   = 2
  allow   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "dynamodb:PutItem"]
  environment = {
    QUEUE_URL = aws_sqs_queue.this.url
    TABLE     = aws_dynamodb_table.this.name
  }
}

output "queue_url" {
  value = aws_sqs_queue.this.url
}

output "table" {
  value = aws_dynamodb_table.this.name
}
