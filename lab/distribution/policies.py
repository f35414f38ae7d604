"""What a gateway of many front ends would do, drawn at once, and which policies are compatible with a measured run.

Random choice is multinomial, whatever the front ends. Round robin: requests by front end are multinomial, whole rounds
give every task the same, and the last round of m mod T requests reaches a random set of the T tasks. Sticky:
connections are multinomial. These are exact. Least request spreads D N of N requests at random and the rest evenly,
which has the covariance of the real thing: `lab.distribution.least_request`. With remainders spread evenly over 0 to T
- 1 a task's variance under round robin of F front ends is F (T^2 - 1) / (6 T^2), so the dispersion is F (T + 1) / (6
N); under sticky connections of L requests it is L. The request-by-request reference lives with the tests.

A measured run's chi-square is compared with those of simulated runs of as many requests and tasks. The order of the
answers is not looked at, and policies that the spread cannot tell apart are equally compatible.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from lab.distribution.gateway import Gateway, Policy
from lab.distribution.goodness import ALPHA, as_far, chi_square
from lab.distribution.judgement import Analysis, Judgement, judge
from lab.distribution.least_request import dispersion
from lab.distribution.presence import Exposure
from lab.errors import BadInput
from lab.records.observations import Integers, Numbers, Observations

# Numbers that are drawn at most: at once, for one gateway, for each candidate.
_MOST_CELLS, _CELLS, _LIKE_CELLS = 20_000_000, 20_000_000, 1_000_000
_GRID = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def sample(gateway: Gateway, requests: int, runs: int, rng: np.random.Generator) -> Integers:
    """Requests by task of independent runs, (runs, tasks)."""
    tasks = gateway.tasks
    match gateway.policy:
        case Policy.RANDOM:
            return _random(requests, tasks, runs, rng)
        case Policy.ROUND_ROBIN:
            return _round_robin(requests, tasks, gateway.front_ends, runs, rng)
        case Policy.LEAST_REQUEST:
            return _least_request(requests, tasks, gateway.in_flight, runs, rng)
        case Policy.STICKY:
            return _sticky(requests, tasks, gateway.run_length, runs, rng)


def max_deviation(counts: Integers) -> Numbers:
    """Largest |requests / even part - 1| over the tasks, for each run of (runs, tasks)."""
    even = counts.sum(axis=1, keepdims=True) / counts.shape[1]
    return np.asarray(np.abs(counts / even - 1).max(axis=1))


def _random(requests: int, tasks: int, runs: int, rng: np.random.Generator) -> Integers:
    return rng.multinomial(requests, np.full(tasks, 1 / tasks), size=runs)


def _round_robin(requests: int, tasks: int, front_ends: int, runs: int, rng: np.random.Generator) -> Integers:
    """Whole rounds give every task the same; the last round of a front end reaches a random set of tasks."""
    by_front_end = _random(requests, front_ends, runs, rng)
    rounds, last = np.divmod(by_front_end, tasks)
    counts = np.repeat(rounds.sum(axis=1, keepdims=True), tasks, axis=1)
    block = max(1, _MOST_CELLS // (front_ends * tasks))
    for start in range(0, runs, block):
        reached = np.arange(tasks) < last[start : start + block].reshape(-1, 1)
        reached = rng.permuted(reached, axis=1).reshape(-1, front_ends, tasks)
        counts[start : start + block] += reached.sum(axis=1)
    return counts


def _least_request(requests: int, tasks: int, in_flight: int, runs: int, rng: np.random.Generator) -> Integers:
    """A part D of the requests is spread at random and the rest evenly: D times the covariance of random choice."""
    at_random = round(requests * dispersion(tasks, in_flight))
    counts = _random(at_random, tasks, runs, rng) + (requests - at_random) // tasks
    over = np.arange(tasks) < (requests - at_random) % tasks
    return np.asarray(counts + rng.permuted(np.tile(over, (runs, 1)), axis=1))


def _sticky(requests: int, tasks: int, run_length: int, runs: int, rng: np.random.Generator) -> Integers:
    """Connections are spread at random; the last one may have fewer requests."""
    connections, rest = divmod(requests, run_length)
    counts = _random(connections, tasks, runs, rng) * run_length
    counts[np.arange(runs), rng.integers(0, tasks, runs)] += rest
    return counts


@dataclass(frozen=True)
class Band:
    """What the middle run shows, and between what 95 % of the runs are."""

    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Skew:
    """The largest deviation of a task from an even split, and the dispersion (chi-square by degrees of freedom)."""

    runs: int
    max_deviation: Band
    dispersion: Band


def skew(gateway: Gateway, requests: int, rng: np.random.Generator) -> Skew:
    """The skew of as many simulated runs as take about a second, a few seconds for the largest gateways."""
    counts = _runs(gateway, requests, rng, _CELLS, 10, 1000)
    return Skew(len(counts), _band(max_deviation(counts)), _band(chi_square(counts) / (gateway.tasks - 1)))


def _runs(gateway: Gateway, requests: int, rng: np.random.Generator, cells: int, fewest: int, most: int) -> Integers:
    """As many runs, (runs, tasks), as it takes to draw so many *cells*."""
    each = gateway.tasks * (gateway.front_ends if gateway.policy is Policy.ROUND_ROBIN else 1)
    return sample(gateway, requests, int(np.clip(cells // each, fewest, most)), rng)


def _band(values: Numbers) -> Band:
    low, median, high = np.quantile(values, (0.025, 0.5, 0.975))
    return Band(float(low), float(median), float(high))


@dataclass(frozen=True)
class Measured:
    """The longest stretch of a run with unchanged hosts; `whole` if that is all of it."""

    requests: int
    tasks: int
    chi_square: float
    max_deviation: float
    whole: bool


@dataclass(frozen=True)
class Candidate:
    """A policy and its parameter, as `Gateway.parameter` has it."""

    policy: Policy
    parameter: int | None
    p_value: float  # the chance of a spread as far from its middle as the measured one
    p_error: float  # two standard errors of that, from the number of simulated runs
    compatible: bool

    @property
    def close(self) -> bool:
        """Whether another seed may decide otherwise."""
        return abs(self.p_value - ALPHA) <= self.p_error


def measured(exposure: Exposure) -> Measured:
    """What is compared; BadInput for expected weights, which no policy here has, or a stretch with one host only."""
    longest = int(exposure.requests.argmax())
    there = exposure.shares[longest] > 0
    shares, counts = exposure.shares[longest][there], exposure.counts[longest][there]
    if not np.allclose(shares, shares[0]):
        raise BadInput("only runs with equal weights can be compared with the simulated policies")
    if counts.sum() == 0 and exposure.left_out:
        raise BadInput(
            f"no request is left once {exposure.settle or 0:g} s around each host that came or went are left out: "
            "give a run in which the hosts were the same for longer"
        )
    if len(counts) < 2 or counts.sum() == 0:
        raise BadInput("the longest stretch with unchanged hosts has fewer than two of them: nothing to compare")
    return Measured(
        int(counts.sum()),
        len(counts),
        float(chi_square(counts[np.newaxis, :])[0]),
        float(max_deviation(counts[np.newaxis, :])[0]),
        exposure.constant and exposure.left_out == 0,
    )


def compare(run: Measured, rng: np.random.Generator) -> list[Candidate]:
    """Every policy, over a grid of its parameter, against the measured run."""
    candidates = []
    for gateway in _gateways(run.tasks, run.requests):
        probability, error = p_value(run, gateway, rng)
        candidates.append(Candidate(gateway.policy, gateway.parameter, probability, error, probability > ALPHA))
    return candidates


def p_value(run: Measured, gateway: Gateway, rng: np.random.Generator) -> tuple[float, float]:
    """The chance that a gateway spreads as many requests at least as far from the usual, to either side.

    With two standard errors of it.
    """
    null = chi_square(_runs(gateway, run.requests, rng, _LIKE_CELLS, 99, 4_999))
    tail = min(0.5, (min(as_far(null, run.chi_square)) + 1) / (len(null) + 1))
    return 2 * tail, 2 * 2 * math.sqrt(tail * (1 - tail) / len(null))


def _gateways(tasks: int, requests: int) -> list[Gateway]:
    # Before a front end has many more requests behind it than in flight, its start is still to be seen.
    return [
        Gateway(Policy.RANDOM, tasks),
        *(Gateway(Policy.ROUND_ROBIN, tasks, front_ends=number) for number in _GRID if number <= requests),
        *(Gateway(Policy.LEAST_REQUEST, tasks, in_flight=number) for number in _GRID if 20 * number <= requests),
        *(Gateway(Policy.STICKY, tasks, run_length=number) for number in _GRID[1:] if 2 * number <= requests),
    ]


@dataclass(frozen=True)
class Simulation:
    """One run of a gateway, judged, and the skew of many."""

    gateway: Gateway
    requests: int
    run: Judgement
    skew: Skew


@dataclass(frozen=True)
class Likeness:
    """A measured run, and the policies that were compared with it."""

    source: str
    measured: Measured
    candidates: list[Candidate]

    @property
    def least_between(self) -> bool:
        """Whether least request is compatible, or not, only between fewer and more requests in flight."""
        least = [each.compatible for each in self.candidates if each.policy is Policy.LEAST_REQUEST]
        return sum(a != b for a, b in itertools.pairwise(least)) > 1

    @property
    def long_ones_even(self) -> bool:
        """Whether longer sticky connections are compatible where shorter ones would spread these requests more."""
        sticky = {each.parameter or 0: each.compatible for each in self.candidates if each.policy is Policy.STICKY}
        seen = self.measured.chi_square / (self.measured.tasks - 1)
        shortest = min((length for length in sticky if length > seen and not sticky[length]), default=math.inf)
        return any(length > shortest for length in sticky if sticky[length])


def simulation(gateway: Gateway, requests: int, rng: np.random.Generator) -> Simulation:
    """Send *requests* through *gateway*."""
    one = sample(gateway, requests, 1, rng)[0]
    width = len(str(gateway.tasks))
    counts = {f"task-{number:0{width}}": int(count) for number, count in enumerate(one, start=1)}
    judgement = judge(Observations("one run", "counts", len(counts), counts))
    return Simulation(gateway, requests, judgement, skew(gateway, requests, rng))


def likeness(analysis: Analysis, rng: np.random.Generator) -> Likeness:
    """Compare a measured run with every policy. Raises BadInput for one that cannot be; see `measured`."""
    run = measured(analysis.subject.exposure)
    return Likeness(analysis.source, run, compare(run, rng))
