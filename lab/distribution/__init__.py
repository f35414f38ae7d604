"""Is it even? What the requests per host say, and what they cannot say."""

# General layout
#   subject       what is judged, checked and in one order
#   exposure      who was there when: epochs with unchanged hosts, and what an even split expects of each
#   goodness      chi-square with both tails, exact or simulated where it must be; power: requests that it takes
#   dependence    order against independence: sticky, or in turn
#   judgement     the verdict: judge(); wording: in plain words
#   intervals     shares with simultaneous confidence intervals
#   longer        would a longer run help? windows, bias, trend
#   zones         the same by availability zone
#   analysis      all of it together: analyse()
#   terminal, pictures, command    the edges
# What is judged was read by lab.records. All but the edges are functions from values to values. `lab.simulation` and
# the report import from here; nothing here imports them. scipy takes a second to import and matplotlib half of one, so
# this front door imports nothing, and command only inside of what it does: `lab --help` waits for neither.
