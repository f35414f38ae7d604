"""Which of the twin's assumed parameters agree with measured runs? Pure.

The cache lifetime. A task leaves Cloud Map at some moment of a cache's life, so the gateway goes on sending requests to
it for U, uniform from 0 to the lifetime T. The end of U is seen in the last answer of the task, or the last failure.
With m such windows and the widest of them w, T is at least w, and below w / 0.05^(1/m) with 95 % confidence: that all
of them fall short of that share of T has a chance of 5 %.

Retries and shared connections. What happens to a request that is sent to a task which has left: over a connection that
is open (connections are reused) it is served while the application runs, and fails after; over a new one it is refused,
which is a failure without retries and, with one or more, seen by hardly anybody.

Balancing. The spread of the requests over unchanged hosts, against those of simulated gateways. The p-values of all
stretches are one (Fisher 1925), so that of however many runs the policy that is true is excluded in 5 % at most. What
the spread of round robin shows is the number of independent orders of the tasks: one a front end, if it goes through
the same list for the whole stretch. A front end that is given its list in a new order at each discovery
(DiscoverInstances answers in random order) makes as many of them as lists, so of a stretch of D seconds and a lifetime
T the front ends may be fewer, by D / T and one for the list at the start. Whether it is given a new order nobody
documents, so both ends are given.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lab.distribution import policies
from lab.distribution.gateway import Policy
from lab.distribution.goodness import ALPHA
from lab.distribution.judgement import analyse
from lab.distribution.policies import compare, measured
from lab.errors import BadInput
from lab.experiments.catalogue import DIRECT, LOAD_BALANCER
from lab.experiments.periods import of_period
from lab.experiments.study import Measured
from lab.imports import special
from lab.records.observations import observe
from load.results import is_failure

_SURE = 0.95
_SINGLE = ("stop-task", "scale-in")  # experiments in which one task leaves in ECS's own order
_SETTLES = 0.5  # seconds in which a task that leaves may still answer what was sent before
_MOST_GAPS = 5  # times the usual gap between two requests to a host, beyond which it is not sent any more
_FEWEST = 300  # requests of a stretch whose spread says anything


@dataclass(frozen=True)
class Window:
    """How one task left Cloud Map."""

    low: float  # between this and `high` lies for how many seconds after that it was still sent requests
    high: float
    drain: float  # seconds for which it served on after SIGTERM
    answers_in_drain: int
    failures_in_drain: int
    failures: int  # in and after
    age: float | None = None  # of the gateway's list at the fault, which a twin gives all settings of a sweep alike


@dataclass(frozen=True)
class Lifetime:
    """Of the cache, in seconds: with 95 % confidence from `low` to `high`."""

    low: float
    high: float
    windows: int


@dataclass(frozen=True)
class Assumption:
    """Whether connections are reused and a refused one is tried again."""

    reuse_connections: bool
    retries: bool


@dataclass(frozen=True)
class Leaving:
    """The way to a task that leaves."""

    lifetime: Lifetime | None  # None where no task left, or leaving is not to be seen
    assumptions: tuple[Assumption, ...]  # those that cannot be told apart
    windows: tuple[Window, ...]


@dataclass(frozen=True)
class Candidate:
    """A policy with one parameter: of round robin, independent orders."""

    policy: str
    parameter: int | None
    p_value: float  # of all stretches together
    compatible: bool  # at 5 %


@dataclass(frozen=True)
class Stretch:
    """Seconds of a run with unchanged hosts, and how its requests were spread over them."""

    seconds: float
    spread: policies.Measured


@dataclass(frozen=True)
class Calibration:
    """What agrees with the runs."""

    leaving: Leaving
    candidates: tuple[Candidate, ...]  # none without requests
    requests: int  # whose spread was compared
    stretches: int  # in so many
    unused: tuple[str, ...] = ()  # the folders of runs that have no such stretch
    # From how many to how many front ends; None where round robin does not agree or, below, the lifetime is not known.
    front_ends: tuple[int | None, int] | None = None

    @property
    def balancing(self) -> dict[str, tuple[str, ...]]:
        """The policies that are compatible, each with its parameters."""
        return _compatible(self.candidates)

    @property
    def drains(self) -> bool:
        """Whether a task served on long enough after SIGTERM to tell reused connections from retries."""
        return any(window.drain > _SETTLES for window in self.leaving.windows)


def calibrate(runs: Sequence[Measured], rng: np.random.Generator) -> Calibration:
    """Fit the parameters to measured runs, of which those of other ways than Cloud Map, and those whose load ended
    too early, are passed over.

    Raises BadInput: the load of all of them ended too early for them to say anything; there is no stretch with
    unchanged hosts, and no task that left: nothing can be fitted; or a twin that they are of was set differently, so
    that nothing could agree with all of them.
    """
    if runs and all(run.flaw for run in runs):
        raise BadInput(f"{runs[0].folder} says nothing ({runs[0].flaw}: `lab report` has it in words): run it again.")
    runs = [run for run in runs if not run.flaw]
    if runs and all(run.findings[DIRECT].arm == LOAD_BALANCER for run in runs):
        raise BadInput(
            f"{runs[0].folder} was measured through a load balancer, which does not tell how API Gateway finds tasks: "
            "calibrate with runs of an API that finds them by Cloud Map."
        )
    runs = [run for run in runs if run.findings[DIRECT].arm == DIRECT]
    leaving = fit_leaving(runs)
    found = [(run.folder.name, _stretches(run)) for run in runs]
    stretches = [stretch for _, own in found for stretch in own]
    if not leaving.windows and not stretches:
        raise BadInput(
            "There is nothing to calibrate with: run baseline and stop-task (or scale-in) with hundreds of requests on "
            "a service of two tasks or more."
        )
    assumed = [run.record.experiment.assumed or {} for run in runs]
    for name in sorted(set().union(*assumed)):
        values = dict.fromkeys("unknown" if name not in each else str(each[name]) for each in assumed)
        if len(values) > 1:
            raise BadInput(
                f"The runs were made with different settings of what is to be found ({name}: {', '.join(values)}): "
                "calibrate those of one setting at a time."
            )
    candidates = _balancing(stretches, rng)
    return Calibration(
        leaving,
        candidates,
        requests=sum(stretch.spread.requests for stretch in stretches),
        stretches=len(stretches),
        unused=tuple(folder for folder, own in found if not own),
        front_ends=_front_ends(_compatible(candidates), leaving.lifetime, stretches),
    )


def fit_leaving(runs: Sequence[Measured]) -> Leaving:
    """What is known from the tasks that left: all of it that takes no simulation."""
    windows = tuple(window for run in runs if run.name in _SINGLE and (window := _window(run)))
    assumptions = tuple(
        assumption
        for assumption in itertools.starmap(Assumption, itertools.product((True, False), repeat=2))
        if all(_agrees(assumption, window) for window in windows)
    )
    return Leaving(_lifetime(windows, assumptions), assumptions, windows)


def _window(measured: Measured) -> Window | None:
    """None where the task was not seen to leave Cloud Map, or had answered nothing."""
    run, findings, record = measured.runs[DIRECT], measured.findings[DIRECT], measured.record
    fault, deregistered = findings.fault, findings.times.deregister
    if fault is None or deregistered is None:
        return None
    gone = {task.hostname for task in record.tasks if task.created_at < fault.at <= (task.stopping_at or 0)}
    answered = [last for host, (_, last) in findings.answered.items() if host in gone]
    if len(gone) != 1 or not answered:
        return None
    # It left Cloud Map after the fault, and no later than the lab saw it.
    left = fault.at + deregistered
    drain = record.experiment.task.drain_seconds
    failed = [row for row in run.timeline if is_failure(row.status) and row.second + 1 > fault.at]
    in_drain = [row for row in failed if row.second >= left and row.second + 1 <= left + drain]
    gap = _MOST_GAPS * findings.duration * len(run.hosts) / max(findings.requests, 1)
    low, high = answered[0] - left - _SETTLES, answered[0] - fault.at + gap
    if failed:
        last = max(row.second for row in failed)
        low, high = max(low, last - left), max(high, last + 1 - fault.at)
    return Window(
        low=max(low, 0.0),
        high=max(high, gap),
        drain=drain,
        answers_in_drain=sum(
            row.requests
            for row in run.timeline
            if row.hostname in gone and row.second >= left + _SETTLES and not is_failure(row.status)
        ),
        failures_in_drain=sum(row.requests for row in in_drain),
        failures=sum(row.requests for row in failed),
        age=fault.discovery_age_s,
    )


def _agrees(assumption: Assumption, window: Window) -> bool:
    if not assumption.reuse_connections:
        if window.answers_in_drain:
            return False  # a task that drains takes no new connections
        return not (assumption.retries and window.failures)
    # Over open connections it serves on. New ones are refused, and a retry may meet the same task again.
    return bool(window.answers_in_drain) or not window.failures_in_drain


def _lifetime(windows: Sequence[Window], assumptions: Sequence[Assumption]) -> Lifetime | None:
    """None where retries may have hidden the end of a window: then none was seen at all."""
    if not windows or Assumption(reuse_connections=False, retries=True) in assumptions:
        return None
    low, widest = max(window.low for window in windows), max(window.high for window in windows)
    ages = [window.age for window in windows]
    independent = len({age for age in ages if age is not None}) + ages.count(None)  # of one age is no second look
    return Lifetime(low, widest / (1 - _SURE) ** (1 / independent), independent)


def _front_ends(
    balancing: Mapping[str, Sequence[str]], lifetime: Lifetime | None, stretches: Sequence[Stretch]
) -> tuple[int | None, int] | None:
    orders = [int(parameter) for parameter in balancing.get(Policy.ROUND_ROBIN.value, ())]
    if not orders:
        return None
    if lifetime is None or not lifetime.low:
        return None, max(orders)
    lists = 1 + math.ceil(max(stretch.seconds for stretch in stretches) / lifetime.low)
    return max(1, min(orders) // lists), max(orders)


def _stretches(measured_run: Measured) -> list[Stretch]:
    """Those with enough requests, without the seconds after hosts came or went, in which front ends may not know."""
    found = []
    for period in measured_run.findings[DIRECT].periods:
        if period.judgement is not None:
            run = of_period(measured_run.runs[DIRECT], period)
            with contextlib.suppress(BadInput):  # hosts came and went all the time
                spread = measured(analyse(observe(run)).subject.exposure)
                if spread.requests >= _FEWEST:
                    found.append(Stretch(float(period.last_second - period.first_second + 1), spread))
    return found


def _balancing(stretches: Sequence[Stretch], rng: np.random.Generator) -> tuple[Candidate, ...]:
    """Each policy, with each parameter that all stretches are long enough for."""
    p_values: dict[tuple[str, int | None], list[float]] = {}
    for stretch in stretches:
        for found in compare(stretch.spread, rng):
            p_values.setdefault((found.policy.value, found.parameter), []).append(found.p_value)
    joint = {key: together(own) for key, own in p_values.items() if len(own) == len(stretches)}
    return tuple(Candidate(*key, p_value, p_value > ALPHA) for key, p_value in joint.items())


def together(p_values: Sequence[float]) -> float:
    """That all of them are no surprise (Fisher's combination); of one it is that one."""
    return float(special.chdtrc(2 * len(p_values), -2 * np.log(p_values).sum()))


def _compatible(candidates: Sequence[Candidate]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for each in candidates:
        if each.compatible:
            found[each.policy] = (*found.get(each.policy, ()), "" if each.parameter is None else str(each.parameter))
    return found
