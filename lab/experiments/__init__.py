"""What do clients see? Load on a service while something happens to its tasks."""

# General layout
#   catalogue.py  the experiments in words and numbers
#   findings.py   a run's files -> what clients saw, and why a run says nothing
#   turnover.py   the tasks that an event takes away and brings, and when
#   periods.py    before, during and after the event, and since when the split is even again
#   figures.py    THE list of figures: name, unit, heading, how it is computed, whether it is compared
#   study.py      several runs -> figures with their spread; study.json and matrix.csv
#   compare.py    do two sets of runs differ, or the two ways of one?
#   calibration.py    which assumed parameters agree with measured runs?
# Values without English: lab.report says them. lab.records reads the files; lab.runner does what is done during a run.
