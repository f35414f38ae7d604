"""Is it even? What the requests per host say, and what they cannot say."""

# General layout
#   reading       what a file is, and its reader; layout, lines: raw answers one a line, streamed
#   observations  what was read: counts, and windows (time), sequence (order), zones where there are any
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
# All but reading, lines and the edges are functions from values to values. `lab.simulation` and the report import from
# here; nothing here imports them. scipy takes a second to import and matplotlib half of one, so this package's front
# door imports nothing, and command only inside of what it does: `lab --help` and other commands wait for neither.
