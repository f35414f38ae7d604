"""bash completes commands and options of `lab`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def _run(*words: str, **environment: str) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        words, env={"PATH": path, **environment}, check=True, capture_output=True, text=True, timeout=60
    ).stdout


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("lab dr", "drain-task"),
        ("lab run --max-f", "--max-failed"),
        ("lab costs --requests-p", "--requests-per-second"),
    ],
)
def test_what_bash_asks_for_is_answered(line: str, completed: str) -> None:
    script = _run("lab", "--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    words = line.split()
    asks = f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _lab_completion lab; echo ${{COMPREPLY[*]}}"
    bash = shutil.which("bash")
    assert bash is not None
    assert _run(bash, "-c", f"{script}\n{asks}").split() == [completed]
