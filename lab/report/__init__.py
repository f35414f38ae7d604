"""What the lab says: values become one Document, which is written to the terminal, as a page, or as JSON."""

# General layout
#   document.py   Heading, Sentence, Table, Picture, Document; as_json
#   run_words.py, split_words.py, study_words.py    every sentence once: of a run, of a split, of several runs
#   words.py      numbers and names in words
#   pages.py      a run, a study -> Document
#   table.py      failed requests by event and way -> Document
#   answers.py    a split, a simulated gateway, two studies, a calibration -> Document
#   costs.py      a cost study -> Document
#   terminal.py, html.py    the writers
#   pictures/     SVG, drawn when a page is written
# Nothing here imports the runner, which makes what is read here.
