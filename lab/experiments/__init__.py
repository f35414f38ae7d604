"""What do clients see? Load on a service while something happens to its tasks."""

# General layout
#
#   target.py     where the service is: an outputs file, of AWS or of the twin
#   service.py    what the lab asks and does through the AWS API
#   load.py       Locust as a process of its own, followed through timeline.csv
#   stop_task.py  the experiment: what is done, and when
#   findings.py   a run's files -> what clients saw (pure)
#   terminal.py   progress, and the findings as tables
#   command.py    `lab run`
