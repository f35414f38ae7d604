"""`twin events`: the event log in words, followed over its rotation until the twin goes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.command import Command, ends_unread
from tests.twin.running import PROJECT, RunningTwin, twin_command, wait_until
from twin.event_log import in_words
from twin.machine.state import StateFolder


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            {"kind": "task", "task": "1b01eae17ba34d3d91c8", "step": "registered", "address": "127.92.1.3:8080"},
            "task 1b01eae17ba3  registered  address 127.92.1.3:8080",
        ),
        ({"kind": "gateway", "step": "instances", "addresses": []}, "gateway  instances  addresses none"),
        ({"kind": "gateway", "step": "instances", "addresses": ["a", "b"]}, "gateway  instances  addresses a, b"),
        ({"kind": "fault", "step": "begins", "fault": "hang", "seconds": None}, "fault  begins  fault hang"),
        (
            {"kind": "service", "what": "(service a) has reached a steady state."},
            "service  (service a) has reached a steady state.",
        ),
        (
            {"kind": "twin", "step": "failed", "error": "Traceback (most recent call last):\n  ...\nKeyError: 'a'\n"},
            "twin  failed  error KeyError: 'a'",
        ),
    ],
)
def test_an_event_is_a_line(event: dict[str, object], words: str) -> None:
    at = time.mktime((2026, 11, 28, 14, 3, 22, 0, 0, -1))
    assert in_words({"time": at + 0.117, **event}) == f"14:03:22.117  {words}"


def test_the_events_of_a_twin_that_has_gone_are_printed(twin_cli: Command, tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    with state.hold():
        state.log("task", task="a" * 32, step="RUNNING")

    ran = twin_cli("events", "--state", str(tmp_path))
    assert (ran.code, ran.out.split("  ", 1)[1]) == (0, f"task {'a' * 12}  RUNNING\n")


@pytest.mark.parametrize("follow", [(), ("--follow",)])
def test_where_nobody_reads_the_events_the_command_ends_as_others_do(tmp_path: Path, follow: tuple[str, ...]) -> None:
    state = StateFolder(tmp_path)
    with state.hold():
        state.log("task", task="a" * 32, step="RUNNING")

        words = ("events", *follow, "--state", str(tmp_path))
        assert ends_unread("from twin.cli import main; main()", *words, cwd=PROJECT) == (141, b"")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b'{"time": 0.5, "kind": "service", "what": "a\\u001b[31m"}', r"service  a\x1b[31m"),
        (b"x\x1b]0;PWN\x07\xff", r"x\x1b]0;PWN\x07\xff"),
        *((line, line.decode()) for line in (b"{}", b"[]", b"5", b"null", b'"time"', b"[" * 100_000, b"9" * 5_000)),
        *(
            (line, line.decode())
            for time in ("1e300", "1e999", "NaN", '"a"', "null", "[]")
            for line in [b'{"time": %s, "kind": "twin"}' % time.encode()]
        ),
        (b'{"time": 1, "kind": "task", "task": 5}', '{"time": 1, "kind": "task", "task": 5}'),
        (b'{"time": 1, "kind": {}}', '{"time": 1, "kind": {}}'),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_line_that_no_twin_has_written_is_shown_as_it_is_without_escapes(
    twin_cli: Command, tmp_path: Path, line: bytes, shown: str
) -> None:
    """A clone of somebody's repository may bring a log, and a disk that fails may damage one."""
    (tmp_path / "events.jsonl").write_bytes(line + b"\n")
    ran = twin_cli("events", "--state", str(tmp_path))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith(shown + "\n")
    assert ran.out.count("\n") == 1


def test_what_is_no_file_is_no_log(twin_cli: Command, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl.1").mkdir()
    (tmp_path / "events.jsonl").write_text("x\n")
    assert twin_cli("events", "--state", str(tmp_path)).out == "x\n"
    (tmp_path / "events.jsonl").unlink()
    os.mkfifo(tmp_path / "events.jsonl")
    assert "No twin has run" in twin_cli("events", "--state", str(tmp_path)).err


def test_a_folder_without_events(twin_cli: Command, tmp_path: Path) -> None:
    ran = twin_cli("events", "--state", str(tmp_path))
    assert (ran.code, ran.err) == (2, f"twin: No twin has run on {tmp_path}: start one with `twin up`.\n")


def test_following_reads_on_where_the_log_begins_anew_and_ends_with_the_twin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twin.machine.rotation.LARGEST", 1_000)
    state = StateFolder(tmp_path)
    command = twin_command("events", "--follow", "--state", str(tmp_path))
    with contextlib.ExitStack() as until_it_goes:
        until_it_goes.enter_context(state.hold())
        state.log("twin", step="before")
        with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as follows:
            assert follows.stdout is not None
            assert follows.stdout.readline().endswith("twin  before\n")
            for number in range(100):
                state.log("twin", step=str(number))
                # So that none is in a file that is gone before it was read.
                assert follows.stdout.readline().endswith(f"twin  {number}\n")
            assert (tmp_path / "events.jsonl.1").exists()
            until_it_goes.close()
            assert follows.stdout.read() == "The twin has gone down.\n"
        assert follows.returncode == 0


def test_what_ecs_says_of_a_service_is_an_event(twin: RunningTwin, twin_cli: Command) -> None:
    def messages() -> list[str]:
        names = twin.outputs()
        answer = twin.client("ecs").describe_services(cluster=names["cluster_name"], services=[names["service_name"]])
        return [event["message"] for event in answer["services"][0]["events"]]

    told = wait_until(messages, "an event of the service")
    printed = twin_cli("events", "--state", str(twin.state)).out
    assert all(f"service  {message}" in printed for message in told)
