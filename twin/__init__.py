"""The synthesized stack on this machine: an AWS endpoint, an ECS that runs tasks, Envoy sidecars and gateway."""

# General layout
#
#   cli.py up.py     the commands; remote.py and listing.py ask a twin that runs, event_log.py reads what it wrote
#   options.py       what `twin up` was asked for;  credentials.py  who may ask a twin
#   supervisor.py    the one process that owns a twin: builds its parts, starts and ends them
#   start.py         whether the services come up;  foreground.py  signals, and the command behind --
#   control.py       what the commands ask of a twin that runs
#   events.py        what happens, as values that are published;  gaps.py  what of a stack the twin does not do
#   stack/           what is asked for: cdk.tf.json or a stack for a service without one, put on the endpoint
#   aws/             what answers as AWS: the endpoint, who may ask it, and its client
#     ecs/             the ECS that is ours;  moto/  what moto lacks, and the only files that touch moto's stores
#   tasks/           a task as processes: its life, program, proxy, health checks and metadata
#   front/           what stands before the tasks:  http_api/  API Gateway,  alb/  a load balancer, each an Envoy
#   envoy/           Envoy's configuration, what of it changes while it runs, and its admin interface
#   machine/         processes (nothing outlives the supervisor), addresses, files, the state folder, logs
#   faults.py        what breaks on purpose;  parameters.py  what is assumed of AWS;  errors.py  what the user can mend

DEFAULT_STATE = ".twin"
"""The state folder, in the current one."""
