"""The synthesized stack on this machine: an AWS endpoint, an ECS that runs tasks, Envoy sidecars and gateway."""

# General layout
#
#   cli.py           the commands: up.py starts a twin; control.py and listing.py ask one that runs
#   supervisor.py    the one process that owns a twin, and ties these together:
#     deploy/          cdk.tf.json, read by terraform.py and references.py, or own_stack.py, put on the endpoint
#     endpoint.py      the AWS endpoint, with metadata.py, and aws.py as its client;  moto/  what moto lacks
#     ecs/             the ECS that is ours; placement.py and registry.py are its hands in EC2 and Cloud Map
#     launcher.py      the tasks;  task.py  the life of one: sidecar.py, command.py, dockerfile.py, health.py
#     gateway/         API Gateway as an Envoy;  load_balancer/  an ALB as an Envoy
#     faults.py        what breaks on purpose;  parameters.py  what is assumed of AWS
#   underneath       process.py and watchdog.py (nothing outlives the supervisor), envoy.py (configuration), dynamic.py
#                    (an Envoy configured while it runs), supervision.py (what fails is reported, and begins
#                    again), rotation.py (logs), stores.py (moto's lock), admin.py, network.py, files.py, state.py,
#                    errors.py
#
# ecs/ knows nothing of gateway/ and load_balancer/, and neither of the other: what passes between them goes through the
# supervisor.
