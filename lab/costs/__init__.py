"""What does it cost? A model of the ways to expose the service, line by line, whose prices name their sources."""

# General layout: values without words, which are lab.report's.
#
#   catalogue.json   every price: its unit, and where AWS lists it
#   prices.py/.json  prices in tiers, with Region, source, date and confidence: the file's schema
#   scenario.py      what is priced: every input once, from options, a stack, a daily profile or a measured run
#   bill.py/.json    the ways, and the lines of the bill of each
#   study.py         what is assumed, with ranges; where two ways cost the same, solved
#   update.py        AWS's price list: the price file brought up to date from it
#
# Each imports only what stands above it in this list.
