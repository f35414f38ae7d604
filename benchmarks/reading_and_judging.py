"""The speed of the lab, as ratios in one run: lists against `sort | uniq -c`, pages against the start of Python.

    python benchmarks/reading_and_judging.py [--lines 10000000] [--hosts 3] [--rounds 5]

Whole processes, the start of Python and the imports included, in alternation (A B A B), in seconds of the processors.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

_BLOCK = 1_000_000
_LAB = Path(sys.executable).with_name("lab")


Turns = tuple[list[float], list[float]]
"""Seconds of ours and of what it is measured against, turn by turn."""


def main() -> None:
    """Measure all and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=10_000_000)
    parser.add_argument("--hosts", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=30.0, help="Of each of the two.")
    options = parser.parse_args()
    found = {
        "lab distribution against LC_ALL=C sort | uniq -c": measure(options.seconds, options.lines, options.hosts),
        "lab report against the start of Python": measure_page(options.seconds),
    }
    for name, (ours, theirs) in found.items():
        a, b = statistics.median(ours), statistics.median(theirs)
        print(f"{name}: {a:.2f} s ({min(ours):.2f} to {max(ours):.2f}) and {b:.2f} s, ratio {a / b:.2f}")
    print(json.dumps(memory(options.lines, options.hosts)))


def measure(seconds: float, lines: int = 10_000_000, hosts: int = 3) -> Turns:
    """`lab distribution` of so many lines, and `LC_ALL=C sort | uniq -c`."""
    with tempfile.TemporaryDirectory() as folder:
        file = write(Path(folder, "hostnames.txt"), lines, hosts)
        theirs = ["sh", "-c", 'LC_ALL=C sort "$0" | uniq -c', str(file)]
        return alternated([str(_LAB), "distribution", str(file)], theirs, seconds)


def measure_page(seconds: float) -> Turns:
    """`lab report` of a recorded run with both ways (five pictures, each drawn twice), and the start of Python."""
    with tempfile.TemporaryDirectory() as folder:
        run = shutil.copytree(Path(__file__).parents[1] / "tests" / "lab" / "golden" / "run", Path(folder, "run"))
        return alternated([str(_LAB), "report", str(run)], [sys.executable, "-c", "pass"], seconds)


def alternated(ours: Sequence[str], theirs: Sequence[str], seconds: float) -> Turns:
    """Whole processes by turns, for so long; three at least. The first of either, which fills caches, is not counted.

    They are the processors' seconds: other work on the machine lengthens those of the clock by whatever it is.
    """
    turns: Turns = ([], [])
    end = time.monotonic() + seconds
    while len(turns[1]) < 4 or time.monotonic() < end:
        for command, found in zip((ours, theirs), turns, strict=True):
            before = processors()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            found.append(processors() - before)
    return turns[0][1:], turns[1][1:]


def processors() -> float:
    """Seconds that all children so far have had of the processors."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def memory(lines: int, hosts: int) -> dict[str, float]:
    """Megabytes at most of a process that reads a tenth of the lines, and all of them."""
    with tempfile.TemporaryDirectory() as folder:
        return {
            f"peak megabytes, {number:,} lines": peak(write(Path(folder, "hostnames.txt"), number, hosts))
            for number in (lines // 10, lines)
        }


def write(file: Path, lines: int, hosts: int) -> Path:
    """Names as ECS gives them, at random."""
    rng = np.random.default_rng(1)
    names = np.array(
        [f"ip-10-0-{100 + n // 256}-{n % 256}.eu-west-2.compute.internal\n".encode() for n in range(hosts)], object
    )
    with file.open("wb") as stream:
        for start in range(0, lines, _BLOCK):
            stream.write(b"".join(names[rng.integers(0, hosts, min(_BLOCK, lines - start))]))
    return file


def peak(file: Path) -> float:
    """Megabytes of a process that reads the file (on Linux: elsewhere a process tells that of its parent too)."""
    code = (
        "import sys; from lab.distribution.judgement import analyse; from lab.records.answers import read; "
        "analyse(read(sys.argv[1])); "
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    output = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True, check=True).stdout
    return int(output) / 1e3


if __name__ == "__main__":
    main()
