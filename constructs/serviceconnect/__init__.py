"""An ECS service with Service Connect behind API Gateway's VPC link, with no load balancer."""

# General layout
#
#   settings/    what the user may choose: frozen dataclasses and their rules, no cdktf, read anywhere
#   stack.py     wires the constructs and names the outputs; main.py makes one stack of it
#   network.py   private subnets, VPC endpoints, security groups
#   image.py     the ECR repository, and the build and push of the image
#   service.py   cluster, namespace, task definition, ECS service with Service Connect
#   gateway.py   HTTP API, VPC link, integration, routes, stage
#   provider.py  the AWS provider, for AWS itself or for an endpoint on this machine
#   bindings.py  makes `import cdktf_cdktf_provider_aws.x` cheap
#
# Each construct takes the slice of the settings that it needs, and what it needs of the others as arguments.
# Nothing here imports another package of ours.

from serviceconnect import bindings

bindings.load_on_demand()
