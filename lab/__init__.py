"""Answers: is it even, what did clients see, what does it cost?"""

# General layout
#
#   cli.py           `lab`: wires the commands, nothing else
#   errors.py        the whole error tree, with exit codes
#   distribution/    is a set of counts even? (pure statistics, readers, `lab distribution`)
#   simulation/      what a gateway of F front ends would give (`lab simulate`)
#   costs/           prices, cost model, break-even (`lab costs`)
#   experiments/     drive load and the AWS API, record what happened (`lab run`)
#   report/          report.html from a results folder (`lab report`)
#
# Each folder's command.py holds its command line, with heavy imports (scipy, matplotlib, boto3) inside
# the function, so that `lab --help` stays quick. Nothing here imports `twin`, `app`, `cdktf` or `locust`.
