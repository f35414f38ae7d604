"""What does it cost? A model of six ways to expose the service, line by line, whose prices name their sources."""

# General layout
#
#   quantities.py    amounts that carry their unit; money in Decimal
#   prices.py/.json  prices in tiers, with unit, Region, source, date, confidence, history
#   fargate.py       the sizes of a task, and what the Service Connect proxy takes of them
#   scenario.py      what is priced: traffic, tasks, network (validated here, once)
#   lines.py         the lines of a bill; options.py: which lines make which option
#   breakeven.py     where two options cost the same, solved
#   assumptions.py   what no AWS page states, as switches with ranges
#   sensitivity.py   which input moves the answer most
#   stack.py         inputs of a synthesized stack; traffic.py: of a daily profile or a measured run
#   study.py         all of that about one scenario or run; verdict.py: its answer in a sentence
#   output.py        a study as tables, JSON and CSV; pictures.py draws it
#   offers.py        AWS's price list; update.py: the price file brought up to date from it
#   command.py       `lab costs`, `lab costs update`
#
# Each imports only what stands above it in this list. pictures.py alone needs matplotlib.
