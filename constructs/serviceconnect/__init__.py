"""An ECS service with Service Connect behind API Gateway's VPC link, with no load balancer."""

# General layout
#
#   settings/      what the user may choose: frozen dataclasses and their rules, no cdktf, read anywhere
#   program.py     what main.py runs: reads the settings, and synthesizes one stack
#   stack.py       wires the constructs and names the outputs
#   additional_service.py  a further service in the stack, which calls others or is called
#   workload.py    what each of the services has of its own, out of the next four, task.py and service.py
#   network.py     private subnets, the security groups of VPC link and tasks
#   image.py       the ECR repository, and the build and push of the image
#   logs.py        the log groups
#   roles.py       execution role and task role
#   endpoints.py   the VPC endpoints and their policies
#   comparison.py  an internal load balancer before the same tasks (a setting)
#   cluster.py     the cluster and its namespace; teardown.py what its destroy waits for
#   service.py     a service of any role in a cluster; rollout.py what waits for its tasks
#   task.py        the task definition of the settings' service; health.py its health check
#   gateway.py     HTTP API, VPC link, integration, routes, stage; routes.py what a route's key becomes
#   load_fleet.py  Locust's master and workers beside the service (a setting)
#   scaling.py, alarms.py, dashboard.py  what follows and shows metrics.py's metrics
#
#   provider.py    the AWS provider, for AWS itself or for another endpoint; loopback.py: is that on this machine?
#   policy.py, security.py  IAM policies and security groups, as the constructs above use them
#   zones.py       the letters of each Region's zones, and the zones that VPC links reach
#   source.py      what the images are built from, as tags
#   scripts/       what Terraform runs on the machine that deploys
#   bindings.py    CDKTF or its successor, and imports of single resources that are cheap
#
# Each construct takes the slice of the settings that it needs, and what it needs of the others as arguments.
# Nothing here imports another package of ours.

from serviceconnect import bindings

bindings.choose()
