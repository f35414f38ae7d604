"""What do clients see? Load on a service while something happens to its tasks."""

# General layout
#   catalogue.py  the experiments in words and numbers
#   findings.py, times.py    a run's files -> what clients saw (pure)
#   study.py, matrix.py      several runs -> figures with their spread (pure but for reading)
#   compare.py    do two sets of runs differ by more than chance? (pure)
#   calibration.py    which assumed parameters agree with measured runs? (pure)
# Files are read by lab.records; what is done during a run is in lab.runner.
