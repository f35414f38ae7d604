"""The experiment `stop-task`: half-way through the load, one task is stopped through the AWS API."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from lab.errors import BadInput
from lab.experiments.load import Load
from lab.experiments.service import EcsService, TaskRecord
from lab.experiments.terminal import Progress
from load.results import update_meta

__all__ = ["stop_task"]

_POLL = 0.25  # seconds
_INTERRUPTED_TOO = 5.0  # seconds: a terminal's Ctrl-C reaches Locust as well as us, and it ends by itself
REASON = "Stopped by the experiment stop-task"


def stop_task(service: EcsService, load: Load, progress: Progress) -> None:
    """Follow *load* to its end, stop the longest-running task half-way, and note both in run.json.

    An interrupt ends the load in order and passes on: what was measured is in the files.
    """
    fault: dict[str, object] | None = None
    try:
        _follow(load, progress, lambda: load.seen.first_second is not None and _elapsed(load) >= load.duration / 2)
        task = _longest_running(service.tasks())
        at = time.time()
        service.stop_task(task, REASON)
        progress.note(f"stopped task {task.id} ({task.hostname})")
        fault = {"kind": "stop-task", "at": at, "task": task.arn, "hostname": task.hostname}
        _follow(load, progress, lambda: False)
    except KeyboardInterrupt:
        load.stop(patience=_INTERRUPTED_TOO)
        raise
    finally:
        load.stop()
        if fault is not None:
            update_meta(load.results, {"faults": [fault], "tasks": [asdict(task) for task in service.tasks()]})


def _follow(load: Load, progress: Progress, until: Callable[[], bool]) -> None:
    while not until() and load.follow():
        progress.show(load.seen, _elapsed(load))
        time.sleep(_POLL)  # the pace of the progress line; Locust writes once a second


def _elapsed(load: Load) -> float:
    return time.time() - load.seen.first_second if load.seen.first_second else 0.0


def _longest_running(tasks: list[TaskRecord]) -> TaskRecord:
    running = [task for task in tasks if task.last_status == "RUNNING" and task.desired_status == "RUNNING"]
    if not running:
        raise BadInput("no task of the service runs any more: there is none to stop; the results so far are kept.")
    return min(running, key=lambda task: (task.started_at or 0.0, task.arn))


def new_folder(root: Path, name: str) -> Path:
    """A folder for a run of the experiment *name* under *root*, named by the time (UTC).

    Raises:
        BadInput: it cannot be made or written.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    number = 1
    while True:
        folder = root / (f"{stamp}-{name}" if number == 1 else f"{stamp}-{name}-{number}")
        try:
            folder.mkdir(parents=True)
            (folder / "locust.log").write_bytes(b"\n")
        except FileExistsError:
            number += 1
        except OSError as error:
            raise BadInput(
                f"The results cannot be written to {folder} ({(error.strerror or str(error)).lower()}): "
                "free some space, or name another folder with --results."
            ) from None
        else:
            return folder
