"""Makes results folders: load on a service, what happens to it meanwhile, and what ECS and Cloud Map told."""

# General layout
#   session.py   all that `lab run` was asked for, one experiment after the other; Ctrl-C, SIGTERM, SIGHUP
#   load.py      Locust as a process of its own
#   actions.py   what each experiment, and each cell of a sweep, does to the service, and how it is put back
#   target.py    the outputs file; of a twin, credentials and control path
#   drain.py     a task leaves Cloud Map before its stop
#   served.py    the target that a twin serves without an outputs file
#   service.py   the AWS API, the ECS service, who is in Cloud Map
#
# Nothing else of the lab imports boto3, starts processes or handles signals.
