"""Amazon ECS on one machine: the API, the service scheduler and the records that both work on."""

# General layout
#
#   model.py       the records: clusters, task definitions, services, deployments, tasks, and all of them: `Ecs`
#   ports.py       what it needs of Cloud Map, of EC2 and of who runs tasks: protocols, which tests replace
#   wire.py        records -> the structures of the ECS API
#   errors.py      ECS's own errors, by their names in its service model
#   scheduler.py   pure decisions: (service, tasks, now) -> what to start, stop, complete, roll back
#   controller.py  applies the decisions, keeps the events
#   api.py         validates requests against botocore's service model and dispatches them to
#   clusters.py, task_definitions.py, services.py, service_deployments.py, tasks.py, tags.py   the operations
#   service_connect.py  a service's names in Cloud Map
#   gaps.py             what services and task definitions ask for and the twin does not do
#
# One event loop owns all records, so there are no locks: the endpoint's threads hand requests over to it.
