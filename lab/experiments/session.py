"""What `lab run` does: every experiment at every setting, as often as asked, one after the other."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from lab.experiments.actions import Bench
from lab.experiments.aws import Aws
from lab.experiments.catalogue import Experiment
from lab.experiments.conductor import conduct, new_folder
from lab.experiments.control import TwinControl
from lab.experiments.load import Plan
from lab.experiments.service import EcsService
from lab.experiments.sweep import Setting, by_task, parameters, revision, task_settings
from lab.experiments.target import Target
from lab.experiments.terminal import Progress

__all__ = ["Request", "Session"]

_STABLE_WITHIN = {True: 180.0, False: 1800.0}  # seconds, on a twin and on AWS


@dataclass(frozen=True)
class Request:
    """What `lab run` was asked for; `duration` None: each experiment's own."""

    experiments: Sequence[Experiment]
    users: int
    duration: float | None
    rate: float | None
    repeat: int
    cells: Sequence[Setting]
    results: Path

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
        self._aws = Aws(target)
        self._service = EcsService(target, self._aws)
        self._bench = Bench(self._service, TwinControl(target) if target.is_twin else None, self._note)

    def run(self) -> None:
        """Run everything, and wait until what was put back is stable.

        Whatever ends it early, `done` was told of each run that has files.
        """
        numbers = itertools.count(1)
        for task, cells in by_task(self._request.cells):
            with revision(self._bench, task, self._stable):
                for cell in cells:
                    with parameters(self._bench, cell):
                        for repeat in range(1, self._request.repeat + 1):
                            for experiment in self._request.experiments:
                                self._one(experiment, cell, repeat, next(numbers))
        self._stable(completed=False)

    def _one(self, experiment: Experiment, cell: Setting, repeat: int, number: int) -> None:
        request, target = self._request, self._target
        own = experiment.seconds if target.is_twin else experiment.seconds_on_aws
        plan = Plan(request.users, request.duration or own, request.rate)
        tasks = self._stable(completed=experiment.deploys)
        folder = new_folder(request.results, experiment.name)
        counted = f" ({number} of {request.runs})" if request.runs > 1 else ""
        swept = "".join(f", {name} = {value:g}" for name, value in cell.items())
        ways = " both ways" if target.comparison_url else ""
        rate = f" at {plan.rate:g} requests/s" if plan.rate else ""
        load = f"{plan.users} users{rate} on {target.gateway_url}{ways}"
        self._note(f"{experiment.name}{counted}: {load} with {tasks} tasks{swept}, for {plan.duration:g} s")
        labels: dict[str, Any] = {"parameters": dict(cell), "repeat": repeat, "task": task_settings(self._service)}
        if self._bench.twin is not None:
            labels["assumed"] = self._bench.twin.parameters()
        with Progress(self._console, plan.duration) as progress:
            try:
                conduct(experiment, self._bench, target, self._aws, plan, folder, progress, labels)
            finally:
                if (folder / "hostnames.csv").exists():  # else Locust wrote nothing, and there is another error
                    self._done(folder)

    def _stable(self, *, completed: bool = True) -> int:
        with Progress(self._console, 0) as progress:
            state = self._service.wait_until_stable(
                _STABLE_WITHIN[self._target.is_twin],
                lambda: progress.say("waiting until the service is stable"),
                completed=completed,
            )
        return state.desired

    def _note(self, message: str) -> None:
        self._console.print(message, highlight=False)
