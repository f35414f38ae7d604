"""Fixtures around a real twin."""

from __future__ import annotations

import gc
import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from xdist.scheduler import LoadFileScheduling

from tests.stacks import shared_stack
from tests.twin.running import PROJECT, STACK, STARTS_WITHIN, RunningTwin, TwinFactory, twin_command, wait_until
from twin.machine.addresses import free_port

# A shell that starts this in the background has it, and all that it starts, ignore Ctrl-C; tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# What is imported and collected stays: to look through it again and again would be a third of each worker's start.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def quick_stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stack as `make synth` has it, but that tasks end a second after SIGTERM, not twenty: tests stop many."""
    (source,) = STACK.glob("stacks/*/cdk.tf.json")
    said = json.dumps(json.dumps({"name": "DRAIN_SECONDS", "value": "20"}))[2:-2]
    text = source.read_text()
    assert text.count(said) == 1
    copy = tmp_path_factory.mktemp("stack") / "cdk.tf.json"
    copy.write_text(text.replace(said, said.replace("20", "1")))
    return copy


@pytest.fixture(scope="session")
def stack_with(tmp_path_factory: pytest.TempPathFactory, testrun_uid: str) -> Callable[[str], Path]:
    """Where a stack of tests/stacks.py is."""
    folder = tmp_path_factory.getbasetemp().parent / f"stacks-{testrun_uid}"
    folder.mkdir(exist_ok=True)
    return lambda name: shared_stack(name, folder)


@pytest.fixture(scope="session")
def any_service(stack_with: Callable[[str], Path]) -> Path:
    """The stack as it is synthesized for a service that is not ours."""
    return stack_with("any-service")


@pytest.fixture(scope="module")
def start_twin(tmp_path_factory: pytest.TempPathFactory, quick_stack: Path) -> Iterator[TwinFactory]:
    """Starts twins, each on ports and a state folder of its own, and ends them all."""
    started: list[RunningTwin] = []

    def start(
        *options: str,
        wait: bool = True,
        synth: Path | None = quick_stack,
        folder: Path = PROJECT,
        then: tuple[str, ...] = (),
        state: Path | None = None,
        ports: tuple[int, int] | None = None,
    ) -> RunningTwin:
        state = state or tmp_path_factory.mktemp("twin")
        (state / "outputs.json").unlink(missing_ok=True)  # of one that was killed
        port, aws_port = ports or (free_port(), free_port())
        arguments = ["up", *(["--synth", str(synth)] if synth else []), "--state", str(state), *options]
        arguments += ["--port", str(port), "--aws-port", str(aws_port), *(["--", *then] if then else [])]
        process = subprocess.Popen(
            twin_command(*arguments), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        twin = RunningTwin(process, state, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{aws_port}")
        started.append(twin)
        if wait:
            wait_until(
                lambda: (state / "outputs.json").exists() or process.poll() is not None,
                "the twin serves",
                STARTS_WITHIN,
            )
            assert process.poll() is None, process.communicate()[0]
        return twin

    yield start
    for twin in started:
        if twin.process.poll() is None:
            twin.end()
        assert twin.process.stdout is not None
        twin.process.stdout.close()


@pytest.fixture(scope="module")
def twin(start_twin: TwinFactory) -> RunningTwin:
    """One twin with the default parameters for a whole module."""
    return start_twin()


@pytest.fixture
def ask(twin: RunningTwin) -> Iterator[httpx.Client]:
    """A client of the gateway, which has no certificate to be verified."""
    with httpx.Client(base_url=twin.gateway_url, timeout=10, verify=False) as client:
        yield client


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that start twins come first: they take longest, and no worker shall be left alone with one in the end."""
    slow = {item.path for item in items if "start_twin" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: item.path not in slow)


class ByFile(LoadFileScheduling):  # type: ignore[misc]
    """One process for a file, for its twin; one for all that may synthesize, for jsii's Node."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return "tests/constructs" if file.startswith("tests/constructs/") else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)
