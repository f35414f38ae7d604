"""report.html of a run: one self-contained file that needs no manual.

General layout
  pictures.py   the pictures that belong to a run, as SVG text
  page.py       the page around them
"""

from lab.report.page import write_report

__all__ = ["write_report"]
