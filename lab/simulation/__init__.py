"""What a gateway of many front ends would do: requests per task, drawn from their distribution at once."""

# General layout
#   gateway        the gateway: front ends, tasks, policy
#   least_request  how much of the randomness is left when the less busy of two tasks is taken
#   sampling       counts per task under each policy, and how skewed they are
#   likeness       which policies are compatible with a measured run
#   results        what `lab simulate` finds: of a gateway, or about a measured run
#   pictures, terminal, command    the edges
# docs/statistics.md derives the distributions; the request-by-request reference lives with the tests.
