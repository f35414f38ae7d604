"""The service to probe: a Starlette application on hypercorn, one process a task."""
