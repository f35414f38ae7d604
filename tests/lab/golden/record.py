"""Records what test_numbers.py compares: `python -m tests.lab.golden.record PAGE...` writes the numbers of pages anew.

`folders` in place of a page writes the folders `study` and `sweep` anew, which move all numbers. `run` is of a real
`lab run stop-task --rate 60 --duration 14` on a twin with a load balancer beside; it is not made here.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np

from tests.lab.experiments.runs import write_run
from tests.lab.golden.pages import PAGES, plain

HERE = Path(__file__).parent
REPEATS = 3


def _study(folder: Path, runs: list[str], left_out: dict[str, str]) -> None:
    content = {"format": 1, "runs": runs, "left_out": left_out}
    (folder / "study.json").write_text(json.dumps(content, indent=2) + "\n")


def _folders() -> None:
    rng = np.random.default_rng(16)
    for name in ("study", "sweep"):
        shutil.rmtree(HERE / name, ignore_errors=True)
    runs = []
    for repeat in range(1, REPEATS + 1):
        for experiment in ("baseline", "stop-task"):
            where = HERE / "study" / f"{experiment}-{repeat}"
            at = None if experiment == "baseline" else 10.4
            write_run(where, rng, name=experiment, at=at, lingers=1.0 + repeat, rate=100, seconds=24, repeat=repeat)
            write_run(where / "alb", rng, name=experiment, arm="alb", at=at, rate=100, seconds=24, repeat=repeat)
            runs.append(where.name)
    _study(HERE / "study", runs, {"az-loss": "it takes tasks in 2 Availability Zones or more"})
    runs = []
    for drain in (0.0, 5.0):
        for ttl in (1.0, 5.0):
            where = HERE / "sweep" / f"drain-{drain:g}-ttl-{ttl:g}"
            cell = {"drain_seconds": drain, "discovery_ttl": ttl}
            write_run(where, rng, lingers=0.8 * ttl, drain=drain, rate=100, seconds=24, parameters=cell)
            runs.append(where.name)
    _study(HERE / "sweep", runs, {})


if __name__ == "__main__":
    for name in sys.argv[1:]:
        if name == "folders":
            _folders()
        else:
            text = json.dumps(plain(PAGES[name]()), indent=1) + "\n"
            (HERE / "numbers" / f"{name}.json").write_text(text)
