"""Answers: is it even, what did clients see, what does it cost?"""

# General layout
#
#   cli.py           `lab`: every command and option, nothing else
#   errors.py        the whole error tree, with exit codes
#   distribution/    is a set of counts even? (pure statistics, readers)
#   costs/           prices, cost model, break-even
#   experiments/     drive load and the AWS API, record what happened
#   report/          values -> one Document -> terminal, report.html, JSON; every sentence and picture
#
# Heavy imports (scipy, matplotlib, boto3) are inside of cli.py's functions, so that `lab --help` stays quick. Nothing
# here imports `twin`, `app`, `cdktf` or `locust`.
