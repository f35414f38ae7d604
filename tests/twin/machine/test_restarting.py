"""What nobody expected is told, and ends nothing else: by itself, and in a real twin."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.twin.running import PROJECT, STARTS_WITHIN, TwinFactory, events_in
from twin.events import news, report
from twin.machine.addresses import free_port
from twin.machine.reporting import reporting
from twin.machine.restarting import kept, watch_clock


def test_work_that_fails_begins_again_without_a_busy_loop(capsys: pytest.CaptureFixture[str]) -> None:
    """And is reported once, however often it fails."""
    logged: list[dict[str, Any]] = []
    begun: list[float] = []

    async def fails() -> None:
        begun.append(asyncio.get_running_loop().time())
        raise KeyError("on purpose")

    async def scenario() -> None:
        async with asyncio.timeout(1):
            await kept("a loop", fails)

    with pytest.raises(TimeoutError), reporting(lambda kind, **details: logged.append({"kind": kind, **details})):
        asyncio.run(scenario())

    assert 2 <= len(begun) <= 4  # after 0.1, 0.2, 0.4 and 0.8 s
    (line,) = logged
    assert (line["kind"], line["step"], line["message"]) == ("twin", "failed", "a loop failed")
    assert line["error"] == "KeyError: 'on purpose'"
    assert "in fails" in line["traceback"]
    said = "twin: a loop failed (KeyError: 'on purpose'); its traceback is in the event log\n"
    assert capsys.readouterr().err == said


def test_what_a_thread_or_a_forgotten_task_raises_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    logged: list[dict[str, Any]] = []

    async def raises() -> None:
        raise KeyError("in a task")

    async def forgets() -> None:
        forgotten = asyncio.create_task(raises())
        await asyncio.wait([forgotten])
        del forgotten
        gc.collect()

    with reporting(lambda kind, **details: logged.append(details)):
        thread = threading.Thread(target=lambda: [][0], name="counter")
        thread.start()
        thread.join()
        asyncio.run(forgets())

    assert [line["message"] for line in logged] == ["thread counter failed", "Task exception was never retrieved"]
    assert all("Traceback" in line["traceback"] for line in logged)
    assert "Traceback" not in capsys.readouterr().err


def test_news_are_no_warnings_and_may_be_said_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    logged: list[dict[str, Any]] = []
    with reporting(lambda kind, **details: logged.append(details)):
        for _ in range(2):
            news("deployed")
            news("all is well", each_time=False)

    assert [line["message"] for line in logged] == ["deployed", "all is well", "deployed"]
    assert {line["step"] for line in logged} == {"news"}
    assert capsys.readouterr().err.count("twin: deployed") == 2


def test_work_that_returns_is_done_and_a_log_that_fails_ends_nothing() -> None:
    turns = iter([OSError("no connection"), None])

    async def work() -> None:
        if error := next(turns):
            raise error

    def full(kind: str, **details: object) -> None:
        raise OSError("No space left on device")

    with reporting(full):
        asyncio.run(kept("work", work))
    assert next(turns, "done") == "done"


def test_a_warning_tells_the_terminal_nothing_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    """It may quote what a task has written."""
    with reporting(lambda kind, **details: None):
        logging.getLogger("twin").warning("%s", "it says \x1b]0;PWN\x07")
    assert capsys.readouterr().err == "twin: it says \\x1b]0;PWN\\x07\n"


def test_a_twin_that_stood_still_says_for_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is the test's: it jumps once, by ten seconds."""
    times = iter([0.0, 0.5, 0.5, 11.0, 11.0])
    monkeypatch.setattr("twin.machine.restarting.time", SimpleNamespace(monotonic=lambda: next(times)))

    async def no_time(seconds: float) -> None:
        return None

    monkeypatch.setattr("twin.machine.restarting.asyncio", SimpleNamespace(sleep=no_time))
    with reporting(lambda *args, **details: None) as accidents, pytest.raises(RuntimeError, match="StopIteration"):
        asyncio.run(watch_clock())

    (accident,) = accidents
    assert accident["what"] == "the twin stood still for 10.0 s"


FAILING_ONCE = """
import functools, sys
from twin.aws.ecs.controller import Controller
from twin.front.http_api import Gateway
from twin.front.alb import LoadBalancers

def fails(owner, name, at):
    work, calls = getattr(owner, name), []
    @functools.wraps(work)
    def called(*arguments):
        calls.append(arguments)
        if len(calls) == at:
            raise RuntimeError(f"on purpose in {name}")
        if len(calls) == at + 1:
            print("again:", name, flush=True)
        return work(*arguments)
    setattr(owner, name, called)

fails(Controller, "step", 2)
for name in ("run", "keep", "follow"):
    fails(Gateway, name, 1)
fails(LoadBalancers, "run", 1)
fails(LoadBalancers, "configure", 2)  # the first is part of the start
from twin.cli import main
main()
"""


def test_no_part_that_fails_ends_a_twin(tmp_path: Path) -> None:
    ports = ["--port", str(free_port()), "--aws-port", str(free_port())]
    then = [sys.executable, "-c", "import time; time.sleep(2); raise SystemExit(7)"]
    command = [sys.executable, "-c", FAILING_ONCE, "up", "--empty", "--state", str(tmp_path), *ports, "--", *then]

    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=STARTS_WITHIN)

    assert done.returncode == 7, done.stderr
    assert sorted(line for line in done.stdout.splitlines() if line.startswith("again")) == [
        f"again: {name}" for name in ("configure", "follow", "keep", "run", "run", "step")
    ]
    failures = [event for event in events_in(tmp_path) if event.get("step") == "failed"]
    parts = {
        *("the controller", "discovery", "the API's changes", "the gateway's Envoy"),
        *("the load balancers", "the load balancers' changes"),
    }
    assert {event["message"] for event in failures} == {f"{part} failed" for part in parts}
    assert all(event["error"].startswith("RuntimeError: on purpose in ") for event in failures)
    assert done.stderr.count("its traceback is in the event log") == len(failures) == 6


def test_a_port_that_is_none_fails_the_start_in_one_sentence(
    start_twin: TwinFactory, quick_stack: Path, tmp_path: Path
) -> None:
    text = quick_stack.read_text()
    named = '"port_name": "http"'
    assert text.count(named) == 1
    stack = tmp_path / "cdk.tf.json"
    stack.write_text(text.replace(named, f'"ingress_port_override": 70000, {named}'))
    twin = start_twin(wait=False, synth=stack)

    output = twin.process.communicate(timeout=STARTS_WITHIN)[0]

    assert twin.process.returncode == 2
    sentences = [line for line in output.splitlines() if line.startswith("twin: ") and line != "twin: going down"]
    assert len(sentences) == 1, output
    assert "70000" in sentences[0]
    assert "Traceback" not in output


def test_that_no_file_can_be_opened_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    logged: list[dict[str, object]] = []
    with reporting(lambda kind, **details: logged.append(details)):
        report("discovery", OSError(errno.EMFILE, "Too many open files"))

    sentence = "discovery failed: Too many open files. Raise the limit with `ulimit -n` and start anew."
    assert logged == [{"step": "failed", "message": sentence}]
    assert capsys.readouterr().err == f"twin: {sentence}\n"
