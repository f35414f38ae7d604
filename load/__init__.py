"""Load that counts per hostname."""

# General layout
#
#   errors.py      the error tree
#   answers.py     which host gave an answer (pure)
#   hostnames.py   counts per hostname, and per second, in constant memory (pure)
#   results.py     the files of a run: rows, atomic writers, `read_run`
#   table.py       the table in the terminal
#   listener.py    Locust's events -> counts -> files; the only one that knows Locust's roles
#
# Only listener.py may import locust, which patches the standard library when imported. Everything else works
# in any process: `lab` reads runs through results.py. Nothing here imports `lab`, `twin` or `app`.
