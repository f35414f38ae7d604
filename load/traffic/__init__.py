"""This project's users in Locust, and the folder that each of their runs leaves."""

# General layout
#
#   user.py        the users; arrivals.py when their requests are due, connections.py how they travel, signing.py what
#                  they carry for authorization, answers.py which host gave an answer
#   settings.py    the load's own options, checked; options.py the same as Locust takes them; shapes.py how many users
#                  there are, target.py an outputs file
#   sharing.py     how many users share --rate, told to them as their number changes
#   listener.py    Locust's events -> counts -> files, reports and pages
#   recorder.py    from counts to the folder of a run
#   guard.py       keeps pages of others away from Locust's web UI
