"""Requests of a Locust run by group, such as the host that answered."""

# General layout
#
#   counts.py    counts per group and per second; latency.py their histograms, evenness.py how even they are, workers.py
#                what workers that stopped reporting took with them; rows.py in which they are given. Pure: they work in
#                any process
#   table.py     the table in the terminal; report.py the section in Locust's HTML report
#   web.py       the tab and the live charts in Locust's web UI (chart.html, chart.css, chart.js)
