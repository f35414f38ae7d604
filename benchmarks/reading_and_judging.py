"""Reading and judging raw hostnames, against `sort | uniq -c` on the same file, and the memory it takes.

    python benchmarks/reading_and_judging.py [--lines 10000000] [--hosts 3] [--rounds 3]

Both are whole processes, the start of Python and the imports included, in alternation; the best round of each counts.
`sort` runs as the environment has it, and once more with LC_ALL=C, where it need not follow the rules of a language.
The claims: judging takes no longer than `sort | uniq -c`, and its memory does not grow with the lines.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

_BLOCK = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=10_000_000)
    parser.add_argument("--hosts", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file, tenth = Path(folder, "hostnames.txt"), Path(folder, "tenth.txt")
        write(file, options.lines, options.hosts)
        write(tenth, options.lines // 10, options.hosts)
        contenders: dict[str, Callable[[], None]] = {
            "lab distribution": lambda: judge(file),
            "sort | uniq -c": lambda: sort(file, dict(os.environ)),
            "LC_ALL=C sort | uniq -c": lambda: sort(file, {**os.environ, "LC_ALL": "C"}),
        }
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(options.rounds):
            for name, run in contenders.items():
                before = time.perf_counter()
                run()
                seconds[name].append(time.perf_counter() - before)
        best = {name: min(values) for name, values in seconds.items()}
        print(f"{options.lines:,} lines, {file.stat().st_size / 1e6:,.0f} MB, {options.hosts} hosts")
        for name, value in best.items():
            print(f"{name:24} {value:6.2f} s   lab takes {best['lab distribution'] / value:.2f} of it")
        print(
            f"memory: {peak(tenth):.0f} MB for {options.lines // 10:,} lines, {peak(file):.0f} MB for {options.lines:,}"
        )


def write(file: Path, lines: int, hosts: int) -> None:
    rng = np.random.default_rng(1)
    names = np.array(
        [f"ip-10-0-{100 + n // 256}-{n % 256}.eu-west-2.compute.internal\n".encode() for n in range(hosts)], object
    )
    with file.open("wb") as stream:
        for start in range(0, lines, _BLOCK):
            stream.write(b"".join(names[rng.integers(0, hosts, min(_BLOCK, lines - start))]))


def judge(file: Path) -> None:
    subprocess.run([Path(sys.executable).with_name("lab"), "distribution", file], stdout=subprocess.DEVNULL, check=True)


def sort(file: Path, environment: dict[str, str]) -> None:
    command = 'sort "$0" | uniq -c'
    subprocess.run(["sh", "-c", command, file], env=environment, stdout=subprocess.DEVNULL, check=True)


def peak(file: Path) -> float:
    """Megabytes of a process that reads the file; each in a process of its own, as a maximum never falls."""
    code = (
        "import resource, sys; from lab.distribution.judgement import analyse; "
        "from lab.records.answers import read; analyse(read(sys.argv[1])); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    output = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True, check=True).stdout
    return int(output) / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    main()
