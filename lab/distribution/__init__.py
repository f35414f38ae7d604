"""Is it even? What the requests per host say, and what they cannot say. Pure, and without English."""

# General layout
#   presence       what is judged: who was there when, and what an even split expects of each host
#   goodness       chi-square with both tails, exact or simulated where it must be; power; Holm
#   dependence     order against independence: sticky, or in turn
#   intervals      chi-square between windows, shares with simultaneous intervals, the bound on the skew
#   judgement      judge() of counts; analyse() of all that was read, with zones, the tests of a page as one family, and
#                  whether a longer run would help
#   recovery       when was the split even again after an event?
#   gateway        the gateway that is simulated: policy, tasks, front ends
#   policies       what it would do, and which policies are compatible with a measured run
#   least_request  how much of the randomness is left when the less busy of two tasks is taken
# All are functions from values to values; lab.report.words says them. scipy takes a second to import, so this front
# door imports nothing, and gateway nothing but errors: `lab --help` waits for neither.
# docs/reference/statistics.md is for users.
