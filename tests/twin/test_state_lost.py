"""A twin whose state folder goes says so, and can be ended; one that is ended as it starts leaves nothing."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.twin.running import RunningTwin, TwinFactory, descendants, is_alive, twin_command, wait_until
from twin.files import runtime_folder


def test_a_state_folder_that_is_removed_during_a_run_is_said(start_twin: TwinFactory) -> None:
    twin: RunningTwin = start_twin("--proxy-drain", "0")
    below = descendants(twin.process.pid)
    assert twin.process.stdout is not None
    shutil.rmtree(twin.state)

    said = next(line for line in twin.process.stdout if "was removed" in line)
    assert said.startswith(f"twin: The state folder {twin.state} was removed: ")
    twin.end()
    assert twin.process.returncode == 0
    assert not [pid for pid in below if is_alive(pid)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_start_that_is_ended_is_one_sentence_and_leaves_nothing(
    start_twin: TwinFactory, tmp_path: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in its first moments, while it imports what it is made of."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    twin = start_twin(wait=False)
    wait_until(lambda: (twin.state / "twin.json").exists(), "it has begun")
    if number is signal.SIGTERM:
        subprocess.run(twin_command("down", "--state", str(twin.state)), check=True, timeout=60)
    else:
        twin.process.send_signal(number)
    output = twin.process.communicate(timeout=60)[0]

    assert twin.process.returncode == 128 + number
    assert output in (f"twin: Ended by {number.name} before it served.\n", "twin: going down\n")
    assert not (twin.state / "twin.json").exists()
    assert list(runtime_folder().iterdir()) == []
