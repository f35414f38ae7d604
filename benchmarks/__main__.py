"""`python -m benchmarks [NAME ...]` measures and writes JSON; `--compare OLD NEW` names what got slower."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.comparison import Change, compare
from benchmarks.figure import Figure
from benchmarks.results import ROOT, Run, about_here, read, write

RESULTS = ROOT / "benchmarks" / "results"


def main() -> int:
    """The exit code: 0; 1: something got slower; 2: unusable arguments; 3: something could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="What to measure. Default: all but what takes minutes."
    )
    parser.add_argument("--out", type=Path, help="The file to write. Default: one in benchmarks/results, by the time.")
    parser.add_argument("--list", action="store_true", help="Print the names and end.")
    parser.add_argument("--compare", type=Path, metavar="OLD", help="A run to compare with.")
    parser.add_argument("--new", type=Path, help="With --compare: a run that is there. Default: measure now.")
    options = parser.parse_args()
    try:
        old = read(options.compare) if options.compare else None
        new = read(options.new) if options.new else _measured(options.names, options.out, only_list=options.list)
    except ValueError as error:
        parser.error(str(error))
    if new is None:
        return 0
    slower = _print_changes(compare(old.figures, new.figures)) if old else False
    return 1 if slower else 3 if any(why != _BY_NAME for why in new.skipped.values()) else 0


_BY_NAME = "takes minutes: name it"


def _measured(names: Sequence[str], out: Path | None, *, only_list: bool) -> Run | None:
    """What was measured, and written.

    Raises:
        ValueError: a name that nothing has.
    """
    from benchmarks.figures import BENCHMARKS, SLOW  # a second of imports, which reading files does not need

    if only_list:
        print("\n".join(BENCHMARKS))
        return None
    if unknown := [name for name in names if name not in BENCHMARKS]:
        raise ValueError(f"{', '.join(unknown)} is not measured: choose from {', '.join(BENCHMARKS)}.")
    about = about_here() | {"load": [os.getloadavg()[0]]}
    file = out or RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    figures: list[Figure] = []
    skipped = {} if names else dict.fromkeys(SLOW, _BY_NAME)
    began = time.monotonic()
    for name in names or [name for name in BENCHMARKS if name not in SLOW]:
        try:
            for figure in BENCHMARKS[name]():
                figures.append(figure)
                print(_line(figure), flush=True)
        except Exception as error:  # the others are measured all the same, and the file says what was not
            skipped[name] = f"{type(error).__name__}: {error}"
            print(f"{name}: {skipped[name]}", file=sys.stderr)
    about["load"].append(os.getloadavg()[0])
    run = Run(tuple(figures), about | {"seconds": round(time.monotonic() - began)}, skipped)
    write(run, file)
    print(f"\n{file}: {len(figures)} figures in {run.about['seconds']} s")
    return run


def _line(figure: Figure) -> str:
    low, high = figure.spread
    goal = {None: "", True: "; as its goal has it", False: "; NOT as its goal has it"}[figure.met]
    return (
        f"{figure.name}: {figure.value:,.4g} {figure.unit}, {figure.against}: {figure.reference:,.4g}; "
        f"ratio {figure.ratio:.3g} ({low:.3g} to {high:.3g}, {len(figure.ours)} turns){goal}"
    )


def _print_changes(changes: Sequence[Change]) -> bool:
    """Whether something got slower; what it says is sorted by how much."""
    for change in sorted(changes, key=lambda change: -change.worse_by):
        ratios = f"ratio {change.old:.3g}, now {change.new:.3g}"
        match change:
            case Change(slower=True):
                print(f"SLOWER  {change.name}: {change.worse_by:.0%} worse, {ratios}")
            case Change(faster=True):
                print(f"faster  {change.name}: {-change.worse_by:.0%} better, {ratios}")
            case Change(slower=None):
                print(f"?       {change.name}: too few turns to compare, {ratios}")
            case _:
                print(f"same    {change.name}: {ratios}")
    return any(change.slower for change in changes)


if __name__ == "__main__":
    sys.exit(main())
