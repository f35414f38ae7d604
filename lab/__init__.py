"""Answers: is it even, what did clients see, what does it cost?"""

# General layout
#
#   cli.py           `lab`: every command and option, nothing else; cli_costs.py has those of `lab costs`, cli_common.py
#                    what both share
#   imports.py       scipy.special and matplotlib imported in less time
#   errors.py        the whole error tree, with exit codes
#   printable.py     text of files as a terminal may have it
#   records/         files -> values: results folders, lists of hostnames; each is checked there
#   distribution/    is a set of counts even? what would other policies give? Pure, and without English
#   experiments/     what did clients see? Pure, and without English
#   costs/           what does it cost? Pure
#   runner/          makes results folders: load, what is done meanwhile, the service, the twin's control
#   report/          values -> one Document -> terminal, report.html, JSON; every sentence and picture
#
# Heavy imports (scipy, matplotlib, boto3) are inside of cli.py's functions, so that `lab --help` stays quick. Nothing
# here imports `twin`, `app`, `cdktf` or `locust`.
