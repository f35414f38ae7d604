"""What `lab run` does: every experiment at every setting, as often as asked, one after the other."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import random
import shutil
import signal
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any, Self

from rich.console import Console

from lab.errors import BadInput, LabError, Missing, NoAnswers
from lab.experiments.catalogue import CLIENT_PROXY, DIRECT, GATEWAY, LOAD_BALANCER, UPSTREAM, Experiment
from lab.experiments.findings import flaw_of
from lab.records.run import Accident, Fault, RunRecord, loaded, record_in
from lab.report.terminal import Progress
from lab.runner.actions import ACTIONS, Bench, Setting, by_task, parameters, task_revision, task_settings
from lab.runner.load import Load, Plan, stop
from lab.runner.service import EcsService, ServiceState, Watch
from lab.runner.target import Target, TwinControl
from load.results import make_folder, update_meta

_STABLE_WITHIN = {True: 180.0, False: 1800.0}  # seconds, on a twin and on AWS
_SILENT = 2.0  # seconds of a wait that need no word
_EACH, _NEW = 4.0, 3.0  # seconds on a twin, roughly: of a run beside its load; until new tasks run
_IN_SECONDS = 120.0  # up to which so long is told in seconds
_CHECK = 30.0  # seconds between health checks, where a container's has no interval


@dataclass(frozen=True)
class Request:
    """What `lab run` was asked for; `duration` None: each experiment's own, or its least if `shortest`.

    `outlast`: on a twin an event has so much more than `duration` as its tasks take to end, or the gateway's list to
    expire.
    `wait`: end once what was put back is stable; `hop`: GATEWAY, or UPSTREAM for load by way of a service that calls it
    too, or the service under test, which is then one that calls another.
    """

    experiments: Sequence[Experiment]
    users: int
    duration: float | None
    rate: float | None
    repeat: int
    cells: Sequence[Setting]
    results: Path
    path: str = "/hostname"
    shortest: bool = False
    outlast: bool = False
    wait: bool = True
    hop: str = GATEWAY

    @property
    def runs(self) -> int:
        """How many runs that makes."""
        return len(self.experiments) * self.repeat * len(self.cells)


class Session:
    """Runs what *request* asks for on *target*; `done` has the folders of the runs so far."""

    def __init__(self, request: Request, target: Target, console: Console, done: Callable[[Path], None]) -> None:
        self._request = request
        self._target = target
        self._console = console
        self._done = done
        self.measured = False  # whether all loads have come to their end
        self._phases: dict[tuple[str, int], float] = {}  # by experiment and repeat, of the gateway's cache at the event
        twin = TwinControl(target) if target.is_twin else None
        service = EcsService(target)
        way = DIRECT if target.comparison_url else service.way()
        self._bench = Bench(service, twin, lambda message: console.print(message, highlight=False), way)

    def run(self) -> None:
        """Run everything and, unless the request says otherwise, wait until what was put back is stable.

        What makes a deployment comes last: until the service has gone back, nothing else can be measured.

        Whatever ends it early, `done` was told of each run that has files. One without answers has none.
        """
        request, target = self._request, self._target
        ways = ", half of it each way" if target.comparison_url or request.hop == UPSTREAM else ""
        ways += ", through a load balancer" if self._bench.way == LOAD_BALANCER else ""
        rate = f" at {request.rate:g} requests/s" if request.rate else ""
        in_all = f"; {request.runs} runs, {self._in_all()}" if request.runs > 1 else ""
        self._bench.note(f"load: {request.users} users{rate} on {target.gateway_url}{request.path}{ways}{in_all}")
        experiments = sorted(request.experiments, key=lambda experiment: experiment.deploys)
        numbers = itertools.count(1)
        for task, cells in by_task(request.cells):
            with task_revision(self._bench, task, self._stable):
                for cell in cells:
                    with parameters(self._bench, cell):
                        for repeat, experiment in itertools.product(range(1, request.repeat + 1), experiments):
                            self._one(experiment, cell, repeat, next(numbers))
        self.measured = True
        if request.wait:
            self._stable(completed=False, way_out=" (--no-wait leaves it at that)")

    def _one(self, experiment: Experiment, cell: Setting, repeat: int, number: int) -> None:
        request, twin = self._request, self._bench.twin
        task = task_settings(self._bench.service)
        experiment, duration, because = self._lasting(experiment, task, twin.parameters() if twin else {})
        plan = Plan(request.users, duration, request.rate, request.path, request.hop == UPSTREAM)
        tasks = self._stable(completed=experiment.deploys)
        if request.wait:
            until_healthy(self._bench.service, self._console, patient=True)
            tasks = self._stable(completed=experiment.deploys)  # once they are, ECS may even out the zones
        folder = new_folder(request.results, experiment.name)
        counted = f" ({number} of {request.runs})" if request.runs > 1 else ""
        swept = "".join(f", {name} {value:g}" for name, value in cell.items())
        self._bench.note(f"{experiment.name}{counted}{swept}: {plan.duration:g} s of load on {tasks} tasks{because}")
        age: float | None = None
        kept = {"deregistration_delay": self._delay} if self._delay else {}
        labels: dict[str, Any] = {"parameters": dict(cell), "repeat": repeat, "task": {**task, **kept}}
        labels["hop"] = request.hop
        labels["outputs"] = str(self._target.file)
        if twin is not None:
            labels["assumed"] = twin.parameters()
        if twin is not None and self._bench.way == DIRECT:
            # At random, as on AWS, and the same for each setting: else these would differ by it.
            phase = self._phases.setdefault((experiment.name, repeat), random.random())
            age = round(phase * float(labels["assumed"]["discovery_ttl"]), 3)
        try:
            with Progress(self._console, plan.duration) as progress:
                conduct(experiment, self._bench, plan, folder, progress, labels, age)
        except NoAnswers:  # which says what its files have: that all of so many requests failed
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            if (folder / "hostnames.csv").exists():  # else there is another error
                self._done(folder)

    def _lasting(
        self, experiment: Experiment, task: Setting, assumed: Mapping[str, Any]
    ) -> tuple[Experiment, float, str]:
        """The experiment as long as all of it takes, the seconds of its load, and why so many more than usual.

        task, assumed: the settings of the service's tasks, and the twin; none on AWS, where minutes are enough.
        """
        request = self._request
        if not assumed:
            return experiment, request.duration or experiment.seconds_on_aws, ""
        delay, drain = self._delay, task.get("drain_seconds", 0.0)
        used_for = float(assumed["discovery_ttl"]) if self._bench.way == DIRECT else 0.0
        longer = experiment.outlasting(delay + drain, used_for)
        more = round(longer.seconds - experiment.seconds, 3)
        known = [f"a target group's delay of {delay:g} s"] if delay else []
        known += [f"drain_seconds {drain:g}"] if "drain_seconds" in task else []
        why = f"stopped tasks end ({', '.join(known)})"
        if more != round(delay + drain, 3):
            why = f"the gateway's list expires (discovery_ttl {used_for:g})"
        because = f", {more:g} s of it until {why}" if more else ""
        if request.duration:
            return longer, request.duration + more * request.outlast, because * request.outlast
        return longer, longer.least_duration if request.shortest else longer.seconds, because

    @cached_property
    def _delay(self) -> float:
        """0 too where AWS does not tell: a role that may not ask for it can measure all the same."""
        with contextlib.suppress(LabError):
            return self._bench.service.deregistration_delay()
        return 0.0

    def _in_all(self) -> str:
        """How long the loads of all runs are, and on a twin roughly how long all of it takes."""
        request, service, twin = self._request, self._bench.service, self._bench.twin
        task, assumed = task_settings(service), twin.parameters() if twin else {}
        check = service.container().get("healthCheck", {"interval": 0}).get("interval", _CHECK)
        deploys = request.repeat * sum(experiment.deploys for experiment in request.experiments)
        load, waits, back, drain = 0.0, _EACH * request.runs, 0.0, task.get("drain_seconds", 0.0)
        for values, cells in by_task(request.cells):
            now, deployed = {**task, **values}, deploys * len(cells)
            # All tasks end, and then new ones start; or what was put back last is waited for.
            waits += drain + _NEW + check if now != task else back
            drain, back = now.get("drain_seconds", 0.0), 0.0
            if twin and (deployed or now != task):  # new tasks, and then the old ones end, and their proxies
                back = _NEW + check + self._delay + drain + assumed["proxy_drain"]
                waits += back * max(deployed - 1, 0)
            for cell, experiment in itertools.product(cells, request.experiments):
                load += request.repeat * self._lasting(experiment, now, {**assumed, **cell} if twin else {})[1]
        told = f"{load:,.0f} s of load in all"
        if not twin:  # how long ECS takes there is not known
            return told
        whole = load + waits + back * request.wait
        roughly = f"{10 * math.ceil(whole / 10)} s" if whole <= _IN_SECONDS else f"{math.ceil(whole / 60)} min"
        return f"{told}, roughly {roughly} with the waits between them"

    def _stable(self, *, completed: bool = True, way_out: str = "") -> int:
        return until_stable(self._bench.service, self._console, completed=completed, way_out=way_out).desired


def until_healthy(service: EcsService, console: Console, *, patient: bool = False) -> None:
    """Wait until the health checks of all tasks of *service* pass, where it has some; a long wait is said on *console*.

    patient: as of EcsService.wait_until_healthy, which says what it raises.
    """
    began, within = time.monotonic(), _STABLE_WITHIN[service.target.is_twin]
    with Progress(console, 0) as progress:

        def waiting(now: str) -> None:
            if (waited := time.monotonic() - began) > _SILENT:
                progress.say(f"waiting until all tasks are HEALTHY, {waited:.0f} s of {within:g} at most: {now}")

        service.wait_until_healthy(within, waiting, patient=patient)


def until_stable(service: EcsService, console: Console, *, completed: bool = False, way_out: str = "") -> ServiceState:
    """*service* once it is stable, or *completed*; that it is waited for for long is said on *console*.

    Raises Missing: it is not within three minutes on a twin, half an hour on AWS, or its deployment has failed.
    """
    began = time.monotonic()
    with Progress(console, 0) as progress:
        within = _STABLE_WITHIN[service.target.is_twin]

        def waiting(now: str) -> None:
            if (waited := time.monotonic() - began) > _SILENT:
                so_far = f"{waited:.0f} s of {within:g} at most"
                progress.say(f"waiting until the service is stable{way_out}, {so_far}: {now}")

        return service.wait_until_stable(within, waiting, completed=completed)


_POLL = 0.25  # seconds
_TELLS = 2.0  # seconds of nothing but refusals, which tell that it will not be otherwise later


def conduct(
    experiment: Experiment,
    bench: Bench,
    plan: Plan,
    folder: Path,
    progress: Progress,
    labels: Mapping[str, Any],
    age: float | None = None,
) -> None:
    """Put *plan*'s load on the service, let *experiment* happen, and put the service back as it was.

    The files of the run are in *folder*, those of the ways through a load balancer and a client proxy, if there are,
    in folders of their own inside. *labels* go into run.json's `experiment`. *age* is that of
    the answer of Cloud Map which the twin's gateway has when it happens, seconds; None: it is left as it is. However it
    ends, with an interrupt too, what was measured until then is in the files.

    Raises NoAnswers: on one of the ways no request was answered before anything happened, so that nothing was done.
    """
    target = bench.service.target
    arms = {bench.way: folder}
    if target.comparison_url:
        arms[LOAD_BALANCER] = folder / LOAD_BALANCER
    if plan.upstream:
        arms[CLIENT_PROXY] = folder / CLIENT_PROXY
    for path in arms.values():
        path.mkdir(exist_ok=True)
    watch = Watch(target, bench.service.aws)
    with watch, _Run(experiment, bench, watch, progress, labels) as run:
        with uninterrupted():
            run.loads += [Load(target, plan.split(len(arms)), path, arm) for arm, path in arms.items()]
        goes_on = run.follow(experiment.happens_after(plan.duration) if experiment.has_event else math.inf)
        run.require_answers()
        if goes_on:
            with contextlib.ExitStack() as ends:
                with uninterrupted():
                    if bench.twin is not None and age is not None:
                        bench.twin.age(age)
                    fault = ends.enter_context(ACTIONS[experiment.name](bench, experiment))
                    run.faults.append(fault.model_copy(update={"discovery_age_s": age}))
                    # The load ends before anything is put back, which would be a second event.
                    ends.push(run)
                run.follow()


@dataclass
class _Run:
    """The loads of an experiment, and what is kept of it; left by whatever way, the load ends and all is written."""

    experiment: Experiment
    bench: Bench
    watch: Watch
    progress: Progress
    labels: Mapping[str, Any]
    loads: list[Load] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    _closed: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        """End the load and keep what was done, and what ECS and Cloud Map told since it began."""
        if self._closed:
            return
        self._closed = True
        interrupted = isinstance(error, KeyboardInterrupt | SystemExit)  # the second: nobody reads the output
        cut = [load for load in self.loads if interrupted and load.runs]
        stop(self.loads)
        told = self._told()
        for load in self.loads:
            what = {"name": self.experiment.name, "arm": load.arm, **self.labels}
            update_meta(load.results, {"experiment": what, **told, "interrupted": load in cut})
            if not self._ran_its_course(load):
                # Locust's files are complete after a signal too, but what was planned is not.
                update_meta(load.results, {"complete": False})

    def follow(self, seconds: float = math.inf) -> bool:
        """Show how the load goes on until it ends or so many *seconds* of it are over; whether it goes on.

        Raises NoAnswers: for seconds all was refused.
        """
        while True:
            running = [load.follow() for load in self.loads]
            if any(each.elapsed >= _TELLS and each.seen.refused == each.seen.requests for each in self.loads):
                self.require_answers()
            if not any(running):
                return False
            if min(load.elapsed for load in self.loads) >= seconds:
                return True
            seen = [load.seen for load in self.loads]
            self.progress.show(
                max(load.elapsed for load in self.loads),
                sum(each.requests for each in seen),
                sum(each.rate for each in seen),
                sum(each.failures for each in seen),
                len(set().union(*(each.hosts for each in seen))),
            )
            time.sleep(_POLL)  # the pace of the progress line; Locust writes once a second

    def require_answers(self) -> None:
        """Where nothing answers there is nothing to measure, and no reason to touch the service.

        Raises NoAnswers: no request of a load was answered by a host, or without failing; or all were refused.
        """
        for load in self.loads:
            seen = load.seen
            if seen.refused < seen.requests and (seen.hosts or seen.failures < seen.requests):
                continue
            if seen.last_status:
                unnamed = "" if seen.hosts else f", and no answer named a host in `{load.header}`"
                or_else = "" if seen.hosts else ", or see by `twin ps` why no task answers"
                raise NoAnswers(
                    f"{load.url} answered all {seen.requests:,} requests for {load.path} with an error (the last: "
                    f"{seen.last_status}){unnamed}: nothing was done to the service; name a path that it serves with "
                    f"--path{or_else}."
                )
            raise NoAnswers(
                f"{load.url} answered none of {seen.requests:,} requests: nothing was done to the service; is that "
                "its gateway, and is it up?"
            )

    def _ran_its_course(self, load: Load) -> bool:
        try:
            return flaw_of(record_in(load.results), self.experiment) is None
        except BadInput:  # it never began
            return False

    def _told(self) -> dict[str, Any]:
        """As run.json has it."""
        since = min((load.started for load in self.loads), default=time.time())
        told: dict[str, Any] = {"faults": self.faults, "discovery": self.watch.changes}
        if self.bench.twin is not None:
            with contextlib.suppress(LabError):  # what is missing of a twin that is gone is said below
                told["accidents"] = [each for each in self.bench.twin.accidents() if each.at >= since]
        try:
            state, tasks = self.bench.service.state(), self.bench.service.tasks()
            told["tasks"] = [task for task in tasks if task.stopped_at is None or task.stopped_at >= since]
            told["deployments"] = state.deployments
            told["events"] = [event for event in reversed(state.events) if event.at >= since]
        except LabError as error:  # the requests are counted all the same
            self.bench.note(f"what ECS has to tell of the run is missing: {error}")
            if self.bench.twin is not None and isinstance(error, Missing):
                told["accidents"] = [Accident(at=time.time(), what="it did not answer any more at the end of the run")]
        return RunRecord(**told).model_dump(mode="json", include=set(told))


def new_folder(root: Path, name: str) -> Path:
    """A folder for results of the experiment *name* under *root*, named by the time (UTC).

    Raises BadInput: it cannot be made or written.
    """
    return loaded(lambda path: make_folder(path, name, "--results"), root)


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP, and the exit code for it."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number


def raise_when_terminated() -> None:
    """Let SIGTERM and SIGHUP raise Terminated in the main thread, as SIGINT raises KeyboardInterrupt."""

    def terminate(number: int, frame: FrameType | None) -> None:
        _without_terminal(number)
        raise Terminated(number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as SIGHUP is under nohup
            signal.signal(number, terminate)


def _without_terminal(number: int) -> None:
    """After a SIGHUP what is printed to the terminal, which is gone, goes nowhere: to print would fail."""
    if number != signal.SIGHUP:
        return
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the kernel and the shell may both send one
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for output in (1, 2):
        if stat.S_ISCHR(os.fstat(output).st_mode):
            os.dup2(nowhere, output)
    os.close(nowhere)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back SIGINT, SIGTERM and SIGHUP until the end of the block; the first that came is raised there."""
    held: list[int] = []

    def hold(number: int, frame: FrameType | None) -> None:
        _without_terminal(number)
        held.append(number)

    handlers = {
        number: signal.signal(number, hold)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if held:
            signal.raise_signal(held[0])
