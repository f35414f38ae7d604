"""Ctrl-C, SIGTERM and SIGHUP in the middle of a deed."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from lab.errors import BadInput, Missing
from lab.experiments.catalogue import EXPERIMENTS, Experiment
from lab.records.run import Fault
from lab.report.terminal import Progress
from lab.runner import session
from lab.runner.actions import Bench
from lab.runner.load import Plan
from lab.runner.session import Terminated, raise_when_terminated, uninterrupted
from lab.runner.target import Target
from tests.command import Command


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """SIGTERM and SIGHUP are raised as in `lab run`; what was before comes back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    raise_when_terminated()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("number", "error"),
    [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated), (signal.SIGHUP, Terminated)],
)
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
    # The terminal is gone, and the second SIGHUP, the shell's after the kernel's, ends nothing that puts things back.
    assert signal.getsignal(number) is (signal.SIG_IGN if number == signal.SIGHUP else before)


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

    runs = True


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
    ("number", "error"),
    [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)],
    ids=["ctrl-c", "sigterm"],
)
def test_what_is_done_as_the_interrupt_comes_is_recorded_and_put_back_after_the_load(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int, error: type[BaseException]
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
    monkeypatch.setattr(session, "stop", lambda loads: happened.append("load ends"))
    bench = Bench(NoEcs(), None, lambda text: None)  # type: ignore[arg-type]

    with pytest.raises(error):
        session.conduct(
            EXPERIMENTS["stop-task"], bench, Plan(1, 10, None), tmp_path, Progress(Console(quiet=True), 10), {}
        )

    assert happened == ["done", "load ends", "put back"]
    meta = json.loads((tmp_path / "run.json").read_text())
    (fault,) = meta["faults"]
    assert (fault["kind"], fault["at"]) == ("stop-task", 7.0)
    assert (meta["complete"], meta["interrupted"]) == (False, True)


class Still(NoEcs):
    """A service of which ECS tells that nothing has happened to it."""

    def state(self) -> Any:
        return SimpleNamespace(deployments=(), events=())

    def tasks(self) -> list[Any]:
        return []


@pytest.mark.parametrize("runs", [True, False], ids=["load-goes-on", "load-was-over"])
def test_a_load_that_an_interrupt_cuts_right_before_its_end_is_not_complete(tmp_path: Path, runs: bool) -> None:
    (tmp_path / "run.json").write_text(
        json.dumps({"complete": True, "duration_s": 9.9, "settings": {"run_time_s": 10}})
    )
    bench = Bench(Still(), None, lambda text: None)  # type: ignore[arg-type]
    load: Any = SimpleNamespace(results=tmp_path, arm="direct", started=1.0, runs=runs, process=SimpleNamespace(
        wait=lambda timeout=None: 0, send_signal=lambda number: None, kill=lambda: None,
    ))  # fmt: skip
    watch: Any = SimpleNamespace(changes=())
    nothing: Any = None

    with pytest.raises(Terminated), session._Run(EXPERIMENTS["baseline"], bench, watch, nothing, {}, [load]):
        raise Terminated(signal.SIGTERM)
    meta = json.loads((tmp_path / "run.json").read_text())
    assert (meta["complete"], meta["interrupted"]) == (not runs, runs)


def test_a_twin_that_is_gone_at_the_end_of_a_load_is_an_accident_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"complete": True, "duration_s": 10.0}))

    def gone() -> Any:
        raise Missing("it has ended")

    bench = Bench(NoEcs(), SimpleNamespace(accidents=gone), lambda text: None)  # type: ignore[arg-type]
    load: Any = SimpleNamespace(results=tmp_path, arm="direct", started=1.0, runs=False, process=SimpleNamespace(
        wait=lambda timeout=None: 0, send_signal=lambda number: None, kill=lambda: None,
    ))  # fmt: skip
    watch: Any = SimpleNamespace(changes=())
    nothing: Any = None
    with session._Run(EXPERIMENTS["baseline"], bench, watch, nothing, {}, [load]):
        pass

    meta = json.loads((tmp_path / "run.json").read_text())
    assert [each["what"] for each in meta["accidents"]] == ["it did not answer any more at the end of the run"]
    assert meta["complete"] is False


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (True, "no longer waiting until the service is stable: all that was asked for was measured\n"),
        (False, "interrupted: this is what was measured until then\n"),
    ],
)
def test_only_a_load_that_was_cut_is_said_to_be(
    lab: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, measured: bool, said: str
) -> None:
    class Ended:
        def __init__(self, *_: object) -> None:
            self.measured = measured

        def run(self) -> None:
            raise Terminated(signal.SIGTERM)

    running = SimpleNamespace(availability_zone="a", is_running=True)
    service: Any = SimpleNamespace(require_stable=lambda: None, tasks=lambda: [running])
    waited: list[object] = []
    monkeypatch.setattr(session, "Session", Ended)
    monkeypatch.setattr(session, "until_healthy", lambda *_: waited.append(service))
    monkeypatch.setattr("lab.runner.service.EcsService", lambda where: service)
    monkeypatch.setattr("lab.runner.actions.task_settings", lambda service: {"drain_seconds": 0, "stop_timeout": 30})
    outputs = {"gateway_url": "https://x", "region": "eu-west-2", "cluster_name": "c", "service_name": "s"}
    (tmp_path / "outputs.json").write_text(json.dumps({"s": outputs}))

    words = ("run", "baseline", "--target", str(tmp_path / "outputs.json"), "--results", str(tmp_path))
    done = lab(*words)
    assert (done.code, done.out) == (143, said)
    assert waited == [service]
    # A twin that is for this alone has only just begun.
    assert lab(*words, "--no-wait").out == said
    assert waited == [service]


def test_a_role_that_may_not_ask_for_the_delay_of_target_groups_can_measure() -> None:
    def refused() -> float:
        raise BadInput("AWS in eu-west-2 refuses DescribeTargetGroupAttributes (AccessDenied)")

    measuring: Any = object.__new__(session.Session)
    measuring._bench = SimpleNamespace(service=SimpleNamespace(deregistration_delay=refused))
    assert measuring._delay == 0
