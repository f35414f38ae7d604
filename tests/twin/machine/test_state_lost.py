"""A twin whose state folder goes says so, and can be ended; one that is ended as it starts leaves nothing."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.command import Command
from tests.twin.running import RunningTwin, TwinFactory, descendants, is_alive, twin_command, wait_until
from twin.machine.addresses import free_port
from twin.machine.files import runtime_folder


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


def test_credentials_that_a_machine_clears_away_are_written_anew(
    start_twin: TwinFactory, twin_cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As systemd does with files of a session that has ended, and with old ones in /tmp."""
    sessions, others = tmp_path / "session", tmp_path / "temporary"
    for folder in (sessions, others):
        folder.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(sessions))
    monkeypatch.setenv("TMPDIR", str(others))
    twin = start_twin("--proxy-drain", "0")

    def reaches() -> bool:
        return twin_cli("ps", "--json", "--state", str(twin.state)).code == 0

    (file,) = runtime_folder().glob("*.json")
    file.unlink()
    wait_until(lambda: file.exists(), "they are written anew")
    assert reaches()
    shutil.rmtree(sessions)
    wait_until(lambda: len(list(others.glob("twin-*/*.json"))) == 1, "they are elsewhere")
    wait_until(reaches, "the twin is asked with them")
    twin.end()
    assert list(others.glob("twin-*/*.json")) == []


def test_on_a_disk_that_fills_tasks_end_as_ever_and_it_goes_on_once_there_is_space(
    start_twin: TwinFactory, tmp_path: Path
) -> None:
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path)], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root can make a disk that fills")
    try:
        options = ("--proxy-drain", "0", "--discovery-ttl", "0.5", "--connect-retries", "0")
        twin = start_twin(*options, state=tmp_path / "state")
        first = {task["taskArn"].rsplit("/", 1)[-1] for task in twin.tasks()}
        with contextlib.suppress(OSError):
            (tmp_path / "large").write_bytes(b"x" * 8_000_000)
        twin.client("ecs").stop_task(cluster=twin.outputs()["cluster_name"], task=(ended := min(first)))

        def stopped() -> dict[str, str]:
            return {t["taskArn"].rsplit("/", 1)[-1]: t["stoppedReason"] for t in twin.tasks("STOPPED")}

        wait_until(lambda: len(stopped()) > 1, "another has failed to start", timeout=60)
        reasons = stopped()
        assert reasons.pop(ended)
        assert {"No space left on device" in reason for reason in reasons.values()} == {True}
        service = twin.client("servicediscovery").list_services()["Services"][0]["Id"]
        found = twin.client("servicediscovery").list_instances(ServiceId=service)["Instances"]
        assert {instance["Id"] for instance in found} == first - {ended}

        (tmp_path / "large").unlink()

        def three() -> bool:
            return [task["lastStatus"] for task in twin.tasks()] == ["RUNNING"] * 3

        wait_until(three, "there are three again", timeout=90)
        wait_until(lambda: _answers(twin) == {200}, "all answer", timeout=30)
        assert "lines lost" in {event.get("step") for event in twin.events()}
    finally:
        twin.end()
        subprocess.run(["umount", str(tmp_path)], check=True)


def _answers(twin: RunningTwin) -> set[int]:
    with httpx.Client(base_url=twin.gateway_url, timeout=10) as client:
        return {client.get("/hostname").status_code for _ in range(20)}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_start_that_is_ended_is_one_sentence_and_leaves_nothing(
    start_twin: TwinFactory, tmp_path: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in its first moments, while it imports what it is made of."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    before = signal.signal(number, signal.SIG_DFL)  # below `nohup` SIGHUP is ignored, which a child takes over
    try:
        twin = start_twin(wait=False)
    finally:
        signal.signal(number, before)
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


LOSING = """
import os, signal
from twin.aws import models
from twin.cli import main

class Dying:
    def __del__(self):  # what is raised in it is ignored, as in callbacks of the import system's
        os.kill(os.getpid(), signal.SIGTERM)

models.share_models = Dying
main()
"""


def test_a_signal_that_python_loses_while_it_imports_ends_the_start(tmp_path: Path) -> None:
    state = tmp_path / "twin"
    options = ("--empty", "--state", str(state), "--port", str(free_port()), "--aws-port", str(free_port()))
    done = subprocess.run([sys.executable, "-c", LOSING, "up", *options], capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stdout, done.stderr) == (143, "", "twin: Ended by SIGTERM before it served.\n")
    assert not (state / "twin.json").exists()
