"""tools/side_by_side.py: two commands at the same time."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.twin.running import PROJECT, wait_until

TOOL = [sys.executable, str(PROJECT / "tools/side_by_side.py")]


def _sh(script: str) -> str:
    return shlex.join(["sh", "-c", script])


def _run(file: Path, first: str, second: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*TOOL, str(file), _sh(first), _sh(second)], capture_output=True, text=True, timeout=60)


def test_both_run_at_the_same_time_and_the_output_of_the_second_is_in_the_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    meet = f"mkfifo {pipe}; echo first; echo hello > {pipe}"  # each waits for the other
    done = _run(tmp_path / "out", meet, f"until [ -p {pipe} ]; do :; done; cat {pipe}; echo trouble >&2")

    assert (done.returncode, done.stdout, done.stderr) == (0, "first\n", "")
    assert (tmp_path / "out").read_text() == "hello\ntrouble\n"


@pytest.mark.parametrize(
    ("first", "second", "status", "shown"),
    [
        ("exit 3", "echo beside; exec tail -f /dev/null", 3, ""),
        ("exec tail -f /dev/null", "echo beside; exit 4", 4, "beside\n"),
        ("exec tail -f /dev/null", "kill -9 $$", 137, ""),
    ],
)
def test_where_one_fails_the_other_is_ended(tmp_path: Path, first: str, second: str, status: int, shown: str) -> None:
    done = _run(tmp_path / "out", first, second)

    assert (done.returncode, done.stderr) == (status, shown)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_both_and_is_waited_for(tmp_path: Path, number: signal.Signals) -> None:
    def script(name: str) -> str:
        ended = f"trap 'echo > {tmp_path}/{name}.ended; exit 7' INT TERM"
        return _sh(f"{ended}; echo > {tmp_path}/{name}.began; while :; do sleep 0.05; done")

    with subprocess.Popen([*TOOL, str(tmp_path / "out"), script("a"), script("b")], start_new_session=True) as tool:
        wait_until(lambda: len(list(tmp_path.glob("*.began"))) == 2, "both to begin")
        if number is signal.SIGINT:  # as a terminal does, to all of its foreground
            os.killpg(tool.pid, number)
        else:
            tool.send_signal(number)
        assert tool.wait(20) == 7
    assert len(list(tmp_path.glob("*.ended"))) == 2
