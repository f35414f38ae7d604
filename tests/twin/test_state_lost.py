"""A running twin whose state folder goes says so, and can be ended."""

from __future__ import annotations

import shutil

from tests.twin.running import RunningTwin, TwinFactory, descendants, is_alive


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
