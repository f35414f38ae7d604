"""Load that counts per hostname."""

# General layout
#
#   listener.py     Locust's events -> counts -> files, reports and pages; the only one that knows Locust's roles
#   answers.py      which host gave an answer
#   hostnames.py    counts per hostname and per second; latency.py their histograms, workers.py what dead workers took
#   recorder.py     from counts to the folder of a run; results.py its files: rows, writers, `read_run`
#   table.py        the table in the terminal; report.py the section in Locust's HTML report
#   web.py          the tab and the live charts in Locust's web UI (chart.html, chart.css, chart.js)
#   settings.py     the load's own options, checked; options.py the same as Locust takes them; target.py an outputs file
#   arrivals.py, shapes.py      when requests are due, how many users there are
#   connections.py, signing.py  how requests travel, and what they carry for authorization
#   errors.py       the error tree
#   Dockerfile      the image of the load fleet
#
# locustfile.py is their one user of Locust's kind. listener.py, options.py, web.py and connections.py import Locust or
# its client, which patch the standard library; the others work in any process: `lab` reads runs through results.py.
# Nothing here imports `lab`, `twin` or `app`.
