"""Completion of `twin` in a shell: commands, options, faults, parameters and the tasks of the state folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TWIN = Path(sys.executable).with_name("twin")


def completed(typed: str, folder: Path) -> list[str]:
    """What bash offers for the last word of *typed*."""
    words = typed.split(" ")
    environment = {
        **os.environ,
        "_TWIN_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run([TWIN], cwd=folder, env=environment, capture_output=True, text=True)
    return done.stdout.split()


FIRST, SECOND, THIRD = (begins.ljust(32, "0") for begins in ("3f2a", "3f9b", "a001"))
OTHER = "b3".ljust(32, "0")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    # A clone of somebody's repository may bring other names along.
    for task in (FIRST, SECOND, THIRD, "3f$(touch PWNED)", "3f", f"{FIRST}0", f"{FIRST[:-1]};"):
        (tmp_path / ".twin/tasks" / task).mkdir(parents=True)
    (tmp_path / "other/tasks" / OTHER).mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("twin ev", ["events"]),
        ("twin ps --j", ["--json"]),
        ("twin stop 3f", [FIRST, SECOND]),
        ("twin stop --state other b3", [OTHER]),
        ("twin logs ga", ["gateway"]),
        ("twin fault proxy", ["proxy-crash"]),
        ("twin fault hang a", [THIRD]),
        ("twin set discovery", ["discovery-ttl="]),
    ],
)
def test_what_is_offered(typed: str, offered: list[str], folder: Path) -> None:
    assert completed(typed, folder) == offered


@pytest.mark.skipif(shutil.which("bash") is None, reason="completion: bash is not on PATH")
def test_bash_takes_the_script(folder: Path) -> None:
    source = subprocess.run([TWIN], env={**os.environ, "_TWIN_COMPLETE": "source_bash"}, capture_output=True, text=True)
    ask = f"{source.stdout}\nCOMP_WORDS=(twin ev); COMP_CWORD=1; _twin_completion twin; echo ${{COMPREPLY[@]}}"
    environment = {**os.environ, "PATH": f"{TWIN.parent}{os.pathsep}{os.environ['PATH']}"}

    done = subprocess.run(["bash", "-c", ask], cwd=folder, env=environment, capture_output=True, text=True)

    assert done.stdout == "events\n"
