"""Ctrl-C and SIGTERM in the middle of a deed, and what the load is given to end by itself."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lab.errors import Missing
from lab.experiments.catalogue import EXPERIMENTS, Experiment
from lab.records.run import Fault
from lab.report.terminal import Progress
from lab.runner import session
from lab.runner.actions import Bench
from lab.runner.load import Plan
from lab.runner.session import Terminated, raise_on_sigterm, uninterrupted
from lab.runner.target import Target


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """SIGTERM is raised as in `lab run`; what was before comes back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    raise_on_sigterm()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_an_interrupt_waits_for_the_end_of_the_block(number: int, error: type[BaseException]) -> None:
    before = signal.getsignal(number)
    done = []

    def deed() -> None:
        with uninterrupted():
            signal.raise_signal(number)
            done.append("the rest")

    with pytest.raises(error) as raised:
        deed()
    assert type(raised.value) is error
    assert done == ["the rest"]
    assert signal.getsignal(number) is before


def test_what_fails_in_the_block_is_told_where_nobody_interrupted() -> None:
    with pytest.raises(Missing), uninterrupted():
        raise Missing("it is not there")


class Answered:
    """A load that has been answered and goes on; and what became of it."""

    url = "http://127.0.0.1:9"
    arm = "direct"
    started = 1.0
    elapsed = 100.0

    def __init__(self, target: Target, plan: Plan, results: Path, arm: str) -> None:
        self.results = results
        self.seen = type("Seen", (), {"hosts": ("alpha",), "failures": 0, "requests": 1, "refused": 0})()

    def follow(self) -> bool:
        return True


class NoEcs:
    """A service that tells nothing."""

    target = Target(
        file=Path("outputs.json"), stack="s", gateway_url="http://127.0.0.1:9", region="eu-west-2",
        cluster_name="c", service_name="s",
    )  # fmt: skip
    aws = None

    def state(self) -> Any:
        raise Missing("ECS does not answer")


@pytest.mark.parametrize(
    ("number", "error", "patience"),
    [(signal.SIGINT, KeyboardInterrupt, 5.0), (signal.SIGTERM, Terminated, 0.0)],
    ids=["ctrl-c", "sigterm"],
)
def test_what_is_done_as_the_interrupt_comes_is_recorded_and_put_back_after_the_load(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int, error: type[BaseException], patience: float
) -> None:
    happened: list[Any] = []

    @contextlib.contextmanager
    def action(bench: Bench, experiment: Experiment) -> Iterator[Fault]:
        try:
            happened.append("done")
            signal.raise_signal(number)  # between the deed and its record
            yield Fault(kind=experiment.name, at=7.0)
        finally:
            happened.append("put back")

    class Watch:
        changes = ()

        def __init__(self, *_: object) -> None: ...
        def __enter__(self) -> Watch:
            return self

        def __exit__(self, *_: object) -> None: ...

    cut = {"complete": True, "duration_s": 4.0, "settings": {"run_time_s": 10}}  # as Locust leaves it after a signal
    (tmp_path / "run.json").write_text(json.dumps(cut))
    monkeypatch.setattr(session, "ACTIONS", {"stop-task": action})
    monkeypatch.setattr(session, "Load", Answered)
    monkeypatch.setattr(session, "Watch", Watch)
    monkeypatch.setattr(session, "stop", lambda loads, patience: happened.append(("load ends", patience)))
    bench = Bench(NoEcs(), None, lambda text: None)  # type: ignore[arg-type]

    with pytest.raises(error):
        session.conduct(
            EXPERIMENTS["stop-task"], bench, Plan(1, 10, None), tmp_path, Progress(Console(quiet=True), 10), {}
        )

    assert happened == ["done", ("load ends", patience), "put back"]
    meta = json.loads((tmp_path / "run.json").read_text())
    (fault,) = meta["faults"]
    assert (fault["kind"], fault["at"]) == ("stop-task", 7.0)
    assert meta["complete"] is False
