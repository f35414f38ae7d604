"""An ECS service with Service Connect behind API Gateway's VPC link, with no load balancer."""
