"""Is it even? What the counts of requests per host say, and what they cannot say."""

# General layout
#   goodness    are these counts what the expected shares and chance explain? (chi-square, exact or simulated)
#   power       how many requests it takes to see a skew of interest
#   judgement   the verdict in plain words: judge()
# Everything here is a function from values to values, but for the command. `lab.simulation` and the report import from
# here; nothing here imports them.

from lab.distribution.judgement import Judgement, judge

__all__ = ["Judgement", "judge"]
