"""What do clients see? Load on a service while something happens to its tasks."""

# General layout
#   catalogue.py  the experiments in words and numbers
#   actions.py    what each does through the AWS API or the twin's control path, and how it is put back
#   undo.py       what cannot be put back is told, with the command that does it
#   target.py     where the service is: an outputs file, of AWS or of the twin
#   aws.py, service.py, discovery.py    the AWS API: clients and errors, the ECS service, who is in Cloud Map
#   control.py    the twin's control path
#   load.py       Locust as a process of its own, followed through timeline.csv
#   conductor.py  one experiment from start to end; session.py: all that `lab run` was asked for
#   interrupts.py Ctrl-C and SIGTERM: what they end, and what they wait for
#   sweep.py      grids of settings
#   records.py    what was done and told, as run.json keeps it
#   findings.py, times.py    a run's files -> what clients saw (pure)
#   study.py, matrix.py      several runs -> figures with their spread (pure but for reading)
#   compare.py    do two sets of runs differ by more than chance? (pure)
#   calibration.py    which assumed parameters agree with measured runs? (pure)
#   wording.py, terminal.py, command.py, analysis_commands.py    the edges
