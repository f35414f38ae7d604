"""Files -> values: what lies in a results folder, or in a list of hostnames."""

# General layout
#   run.py           what was done and what ECS and Cloud Map told, as run.json keeps it
#   answers.py       a list of hostnames, a table, or the folder of a run -> observations
#   observations.py  counts by host, with windows of time, order and zones; those of each hop of calls
