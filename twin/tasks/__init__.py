"""A task as processes: its application, its proxy, its health checks and its metadata."""

# General layout
#
#   launcher.py       starts and stops tasks for ECS's controller;  surroundings.py  what the lives of all tasks share
#   life.py           one task from PROVISIONING to STOPPED;  container.py health.py  a container, and its checks
#   programs.py       which program is which container;  program.py  a command, and a Dockerfile's
#   presence.py       whether a command's program is on this machine
#   proxy.py          Service Connect's Envoy of a task;  client.py egress.py upstreams.py hosts_files.py  as a client
#   metadata.py       the task metadata endpoint;  traffic.py usage.py  metrics of its proxy and of itself
