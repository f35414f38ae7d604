"""Load that counts per hostname."""

# General layout
#
#   groups/      requests by group (here: by hostname): counts, tables, pages; it knows nothing of AWS
#   traffic/     this project's users: options, target, signing, connections, arrivals, shapes, and the folder of a run
#   results.py   the files between load and lab: rows, writers, `read_run`
#   rate.py      whether --rate was sent: for both
#   errors.py    the error tree
#   Dockerfile   the image of the load fleet
#
# locustfile.py wires the two into Locust. Nothing here imports `lab`, `twin` or `app`.
