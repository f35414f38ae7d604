"""The synthesized stack on this machine: an AWS endpoint, an ECS that runs tasks, Envoy sidecars and gateway."""
