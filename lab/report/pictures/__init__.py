"""The pictures of the lab: one style, SVG text for a page or a file."""

# General layout
#   style.py      colours by role, ink, figures, and how they become SVG text or a file
#   split.py      each host's deviation from its share, how it falls as requests add up, and by balancing policy
#   timeline.py   what happened second by second, latencies, the heat map of a sweep
#   costs.py      what the bills are made of, and how they grow
# Each needs matplotlib, which takes half a second to import: import them inside of what draws.
