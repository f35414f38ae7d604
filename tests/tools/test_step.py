"""tools/step.sh: a line for what takes long, and what a tool printed only where it failed."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.twin.running import PROJECT


def _step(text: str, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "tools/step.sh", text, *command], cwd=PROJECT, capture_output=True, text=True, check=False
    )


def test_a_step_that_succeeds_is_one_line() -> None:
    done = _step("Setting up", "sh", "-c", "echo noise; echo more >&2")

    assert done.returncode == 0
    assert done.stdout.startswith("Setting up ... done (")
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


def test_steps_that_end_at_once_end() -> None:
    # The clock of a step is told to stop as it starts: a signal that the shell lost there would hold the step up.
    done = [_step("Setting up", "true") for _ in range(60)]

    assert {(step.returncode, step.stderr, len(step.stdout.splitlines())) for step in done} == {(0, "", 1)}


def test_the_warnings_of_a_step_that_succeeds_are_shown() -> None:
    done = _step("Setting up", "sh", "-c", "echo noise; echo 'warning: no curl' >&2; echo WARNING: pip >&2")

    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == "warning: no curl\n"


def test_a_step_that_fails_shows_all_that_it_printed_and_its_exit_code() -> None:
    done = _step("Setting up", "sh", "-c", "echo noise; echo 'no space' >&2; exit 7")

    assert done.returncode == 7
    assert done.stdout == "Setting up ... failed\n"
    assert done.stderr == "noise\nno space\n"


def test_a_step_without_a_text_says_nothing_unless_it_fails() -> None:
    done = _step("", "sh", "-c", "echo noise")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    failed = _step("", "sh", "-c", "echo 'no space'; exit 7")
    assert (failed.returncode, failed.stdout, failed.stderr) == (7, "", "no space\n")


@pytest.mark.parametrize("terminal", [False, True])
def test_a_step_that_takes_long_shows_that_it_goes_on(terminal: bool, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    reader, writer = os.openpty() if terminal else os.pipe()
    command = ["sh", "tools/step.sh", "Setting up", "sh", "-c", f"until [ -e {seen} ]; do sleep 0.1; done"]
    with subprocess.Popen(command, cwd=PROJECT, env={**os.environ, "STEP_EVERY": "1"}, stdout=writer) as step:
        os.close(writer)
        printed = b""
        while b" s" not in printed:  # until it was told
            printed += os.read(reader, 1000)
        seen.touch()
        with contextlib.suppress(OSError):  # how a terminal ends
            while part := os.read(reader, 1000):
                printed += part
    os.close(reader)

    assert step.returncode == 0
    again = rb"\rSetting up \.\.\. \d+ s " if terminal else rb"\d+ s\n  \.\.\. "
    last = rb"\rSetting up \.\.\. " if terminal else b""
    assert re.fullmatch(rb"Setting up \.\.\. (%s)+%sdone \(\d+ s\)\r?\n" % (again, last), printed)
