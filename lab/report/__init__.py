"""report.html of a run or a study: one self-contained file that needs no manual."""

# General layout
#   pictures.py   the pictures that belong to runs alone, as SVG text
#   html.py       pieces of a page as text
#   runs.py       one experiment: facts, pictures, numbers
#   overview.py   several: the answer, the matrix (matrix.py), the grid of a sweep and what it says (rule.py)
#   costs.py      what the measured traffic would cost
#   glossary.py   how to read it
#   page.py       the page around them
#   command.py    `lab report`
