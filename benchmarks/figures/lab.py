"""The lab: lists against `sort | uniq -c`, pages against the start of Python."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.figure import Figure, Goal, measure
from benchmarks.processes import PYTHON_ITSELF, ROOT, command_cpu, own

LINES = 10_000_000
HOSTS = 3
_BLOCK = 1_000_000


def distribution() -> Iterator[Figure]:
    """Whole processes, the start of Python and the imports included."""
    with tempfile.TemporaryDirectory() as folder:
        file = hostnames(Path(folder, "hostnames.txt"), LINES)
        tenth = hostnames(Path(folder, "tenth.txt"), LINES // 10)
        ours = [own("lab"), "distribution", str(file)]
        theirs = ["sh", "-c", 'LC_ALL=C sort "$0" | uniq -c', str(file)]
        cpu = measure({"ours": partial(command_cpu, ours), "theirs": partial(command_cpu, theirs)}, turns=5)
        peaks = measure({"all": partial(_peak, file), "tenth": partial(_peak, tenth)}, turns=2)
    yield Figure(
        "distribution",
        f"`lab distribution` on {LINES // 1_000_000} M lines",
        "`LC_ALL=C sort | uniq -c`",
        "s of the processors",
        "less",
        tuple(cpu["ours"]),
        tuple(cpu["theirs"]),
        Goal("ratio", 0.5),
    )
    yield Figure(
        "distribution-memory",
        f"its memory at most, {LINES // 1_000_000} M lines",
        "a tenth of them: flat is 1",
        "MB",
        "less",
        tuple(peaks["all"]),
        tuple(peaks["tenth"]),
        Goal("ratio", 1.05),
    )


def report() -> Iterator[Figure]:
    """`lab report` of a recorded run with both ways: five pictures, each drawn twice."""
    with tempfile.TemporaryDirectory() as folder:
        run = shutil.copytree(ROOT / "tests" / "lab" / "golden" / "run", Path(folder, "run"))
        ours = [own("lab"), "report", str(run)]
        found = measure({"ours": partial(command_cpu, ours), "python": partial(command_cpu, PYTHON_ITSELF)}, turns=9)
    yield Figure(
        "report",
        "a page of the lab (`lab report`)",
        "the start of Python",
        "s of the processors",
        "less",
        tuple(found["ours"]),
        tuple(found["python"]),
        Goal("value", 1.5),
    )


def hostnames(file: Path, lines: int, hosts: int = HOSTS) -> Path:
    """Names as ECS gives them, at random, one a line."""
    rng = np.random.default_rng(1)
    names = np.array(
        [f"ip-10-0-{100 + n // 256}-{n % 256}.eu-west-2.compute.internal\n".encode() for n in range(hosts)], object
    )
    with file.open("wb") as stream:
        for start in range(0, lines, _BLOCK):
            stream.write(b"".join(names[rng.integers(0, hosts, min(_BLOCK, lines - start))]))
    return file


def _peak(file: Path) -> float:
    """Megabytes at most of a process that reads the file; from /proc, so on Linux alone."""
    code = (
        "import sys; from lab.distribution.judgement import analyse; from lab.records.answers import read; "
        "analyse(read(sys.argv[1])); "
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    output = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True, check=True).stdout
    return int(output) / 1e3
