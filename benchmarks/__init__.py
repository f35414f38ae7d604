"""How fast this project is, each figure beside something else that was measured in the same run.

    make bench                                  # all of them, ten minutes
    make bench FIGURES="gateway report"         # some
    make bench-compare OLD=benchmarks/results/FILE.json

General layout:

    figure       one figure: values by turns, their ratios, its goal; and `measure`, which takes the turns
    results      a run as JSON, with the machine, versions and the commit
    comparison   what got slower between two runs, by more than noise
    table        the table and the picture of docs/performance.md, from a run
    processes    commands, servers and twins that figures start, and what they use of the processors
    client       an HTTP client that takes less of a processor than what it measures
    figures/     one module for each part of the project that is measured
    __main__     the commands

`figure`, `results` and `comparison` are pure; `processes` and `client` know no figure. No test measures time.
"""
