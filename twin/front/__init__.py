"""What stands before the tasks: HTTP APIs and load balancers, each an Envoy."""
