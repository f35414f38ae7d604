"""The service to probe: a Starlette application on hypercorn, one process a task.

General layout:

    settings   what the environment says, checked once
    identity   who answers: host name, and what ECS tells a task about itself
    parameters what requests ask for, checked
    call       `/call`: calls of other services, imported only where there are some
    service    routes, and the headers that every answer carries
    logs       JSON lines on standard output
    server     hypercorn: listen, drain on a signal, end
    __main__   `python -m app`

Imports point upwards in this list only. The image holds nothing else of this project, so nothing else of it is
imported here.
"""
