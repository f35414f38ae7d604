"""How long it took, in seconds from the fault, from what ECS and Cloud Map told and when hosts answered. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lab.experiments.catalogue import LOAD_BALANCER
from lab.records.run import Discovered, Fault, RunRecord
from load.results import Run

__all__ = ["Times", "times_of"]


@dataclass(frozen=True)
class Times:
    """Seconds from the fault; None: it did not come to that within the run, or there is no such thing in it.

    detect: until ECS acted: it began to stop a task, or made a new one.
    deregister: until the last task that went was out of Cloud Map, as fine as Cloud Map was asked (0.1 s on a twin, 1 s
        on AWS); on the way through a load balancer out of its target group, where the service's events tell.
    replace: until the last of the tasks that came, and stayed, answered its first request; `replaced_by`: their hosts.
    even: until the split over the hosts of the end was even again, in whole seconds of the timeline.
    """

    detect: float | None = None
    deregister: float | None = None
    replace: float | None = None
    even: float | None = None
    replaced_by: tuple[str, ...] = ()


def times_of(run: Run, record: RunRecord, fault: Fault, even_from: int | None) -> Times:
    """The times of a run; *even_from* is the second from which on the split was even."""
    gone = [task for task in record.tasks if task.created_at < fault.at <= (task.stopping_at or 0)]
    new = [task for task in record.tasks if task.created_at >= fault.at]
    acts = [task.stopping_at for task in gone if task.stopping_at is not None] + [task.created_at for task in new]
    came = {task.hostname for task in new if task.stopping_at is None}
    first_seen = {host.hostname: host.first_seen for host in run.hosts if host.hostname in came}
    return Times(
        detect=max(0.0, min(acts) - fault.at) if acts else None,
        deregister=_out_of_target_group(record, fault.at)
        if record.experiment.arm == LOAD_BALANCER
        else _deregistered(record.discovery, {task.id for task in gone}, fault.at),
        replace=max(first_seen.values()) - fault.at if came and set(first_seen) == came else None,
        even=None if even_from is None else max(0.0, even_from - fault.at),
        replaced_by=tuple(sorted(first_seen, key=first_seen.__getitem__)),
    )


def _out_of_target_group(record: RunRecord, at: float) -> float | None:
    """From events such as `(service x) deregistered 1 targets in (target-group ...)`."""
    return max((e.at - at for e in record.events if e.at >= at and ") deregistered " in e.message), default=None)


def _deregistered(discovered: Iterable[Discovered], gone: set[str], at: float) -> float | None:
    """None also where not all of them were seen there before, or one is still there in the end."""
    seen: set[str] = set()
    left: set[str] = set()
    last = None
    for change in discovered:
        if change.instances is None:
            continue
        present = gone.intersection(change.instances)
        seen |= present
        if left != (left := seen - present):
            last = change.at
    return max(0.0, last - at) if gone and left == gone and last is not None else None
