"""Run a program of the stack once for each folder, in one process: to start CDKTF's Node takes most of a synthesis.

    python tools/synthesize.py main.py cdktf.out cdktf.out/ends-at-once SC_DRAIN_SECONDS=0

A folder may be followed by settings of its own.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path


def folders(words: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each folder of *words* with its settings."""
    starts = [number for number, word in enumerate(words) if "=" not in word]
    for start, end in zip(starts, [*starts[1:], len(words)], strict=True):
        yield words[start], dict(word.split("=", 1) for word in words[start + 1 : end])


def main() -> None:
    """Run it; where it exits, this does, with the folders that follow left as they are."""
    _, program, *words = sys.argv
    sys.argv, sys.path[0] = [program], str(Path(program).resolve().parent)
    environment = dict(os.environ)
    for folder, settings in folders(words):
        os.environ.clear()
        os.environ.update(environment, CDKTF_OUTDIR=folder, **settings)
        runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
