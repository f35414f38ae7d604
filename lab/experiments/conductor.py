"""One experiment from its start to its end: load, what happens meanwhile, what ECS and Cloud Map tell of it."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lab.errors import BadInput, LabError, Missing
from lab.experiments.actions import ACTIONS, Bench
from lab.experiments.aws import Aws
from lab.experiments.catalogue import Experiment
from lab.experiments.discovery import Watch
from lab.experiments.interrupts import Terminated, uninterrupted
from lab.experiments.load import DIRECT, LOAD_BALANCER, Load, Plan, stop
from lab.experiments.records import Fault
from lab.experiments.target import Target
from lab.experiments.terminal import Progress
from load.errors import LoadError
from load.results import is_whole, read_meta, update_meta

__all__ = ["conduct", "new_folder"]

_POLL = 0.25  # seconds
_INTERRUPTED_TOO = 5.0  # seconds: a terminal's Ctrl-C reaches Locust as well as us, and it ends by itself


def conduct(
    experiment: Experiment,
    bench: Bench,
    target: Target,
    aws: Aws,
    plan: Plan,
    folder: Path,
    progress: Progress,
    labels: Mapping[str, Any],
) -> None:
    """Put *plan*'s load on *target*, let *experiment* happen, and put the service back as it was.

    The files of the run are in *folder*, those of the way through a load balancer, if there is one, in a folder of
    their own inside. *labels* go into run.json's `experiment`. However it ends, with an interrupt too, what was
    measured until then is in the files.

    Raises:
        Missing: on one of the ways no request was answered before anything happened, so that nothing was done.
    """
    arms = {DIRECT: folder}
    if target.comparison_url:
        arms[LOAD_BALANCER] = folder / LOAD_BALANCER
        arms[LOAD_BALANCER].mkdir()
    with Watch(target, aws) as watch, _Run(experiment, bench, watch, progress, labels) as run:
        run.loads += [Load(target, plan.split(len(arms)), path, arm) for arm, path in arms.items()]
        goes_on = run.follow(experiment.happens_after(plan.duration) if experiment.has_event else math.inf)
        run.require_answers()
        if goes_on:
            with contextlib.ExitStack() as ends:
                with uninterrupted():
                    run.faults.append(ends.enter_context(ACTIONS[experiment.name](bench, experiment)))
                    # The load ends before anything is put back, which would be a second event.
                    ends.push(run)
                run.follow()


class _Run:
    """The loads of an experiment, and what is kept of it; left by whatever way, the load ends and all is written."""

    def __init__(
        self, experiment: Experiment, bench: Bench, watch: Watch, progress: Progress, labels: Mapping[str, Any]
    ) -> None:
        self.loads: list[Load] = []
        self.faults: list[Fault] = []
        self._experiment = experiment
        self._bench = bench
        self._watch = watch
        self._progress = progress
        self._labels = labels
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        by_terminal = isinstance(error, KeyboardInterrupt) and not isinstance(error, Terminated)
        self._close(_INTERRUPTED_TOO if by_terminal else 0.0)

    def follow(self, seconds: float = math.inf) -> bool:
        """Show how the load goes on until it ends or so many *seconds* of it are over; whether it goes on."""
        while True:
            running = [load.follow() for load in self.loads]
            if not any(running):
                return False
            if min(load.elapsed for load in self.loads) >= seconds:
                return True
            self._progress.show([load.seen for load in self.loads], max(load.elapsed for load in self.loads))
            time.sleep(_POLL)  # the pace of the progress line; Locust writes once a second

    def require_answers(self) -> None:
        """Where nothing answers there is nothing to measure, and no reason to touch the service.

        Raises:
            Missing: no request of a load was answered by a host, or without failing.
        """
        for load in self.loads:
            seen = load.seen
            if not seen.hosts and seen.failures == seen.requests:
                last = f"the last: {seen.last_status}" if seen.last_status else "no answer"
                raise Missing(
                    f"{load.url} answered none of {seen.requests:,} requests ({last}): nothing was done to the "
                    "service; is that its gateway, and is it up?"
                )

    def _close(self, patience: float) -> None:
        """End the load and keep what was done, and what ECS and Cloud Map told since it began."""
        if self._closed:
            return
        self._closed = True
        stop(self.loads, patience)
        told = self._told()
        for load in self.loads:
            what = {"name": self._experiment.name, "arm": load.arm, **self._labels}
            values = {"experiment": what, "faults": [asdict(f) for f in self.faults], **told}
            if not _came_to_its_end(load):
                # Locust's files are complete after a signal too, but the load that was planned is not.
                values["complete"] = False
            update_meta(load.results, values)

    def _told(self) -> dict[str, Any]:
        since = min((load.started for load in self.loads), default=time.time())
        told: dict[str, Any] = {"discovery": [asdict(change) for change in self._watch.changes]}
        try:
            state, tasks = self._bench.service.state(), self._bench.service.tasks()
        except LabError as error:  # the requests are counted all the same
            self._bench.note(f"what ECS has to tell of the run is missing: {error}")
            return told
        return {
            **told,
            "tasks": [asdict(task) for task in tasks if task.stopped_at is None or task.stopped_at >= since],
            "deployments": [asdict(deployment) for deployment in state.deployments],
            "events": [asdict(event) for event in reversed(state.events) if event.at >= since],
        }


def _came_to_its_end(load: Load) -> bool:
    try:
        return is_whole(read_meta(load.results))
    except LoadError:  # it never began
        return False


def new_folder(root: Path, name: str) -> Path:
    """A folder for results of the experiment *name* under *root*, named by the time (UTC).

    Raises:
        BadInput: it cannot be made or written.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    number = 1
    while True:
        folder = root / (f"{stamp}-{name}" if number == 1 else f"{stamp}-{name}-{number}")
        try:
            folder.mkdir(parents=True)
            (folder / "probe").write_bytes(b"\n")  # a full disk makes folders, but writes nothing
            (folder / "probe").unlink()
        except FileExistsError:
            number += 1
        except OSError as error:
            raise BadInput(
                f"The results cannot be written to {folder} ({(error.strerror or str(error)).lower()}): "
                "free some space, or name another folder with --results."
            ) from None
        else:
            return folder
