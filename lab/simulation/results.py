"""What `lab simulate` finds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lab.distribution.analysis import analyse
from lab.distribution.judgement import Judgement, judge
from lab.records.answers import read
from lab.simulation.gateway import Gateway
from lab.simulation.likeness import Candidate, Measured, compare, measured
from lab.simulation.sampling import sample
from lab.simulation.skew import Skew, skew

__all__ = ["Likeness", "Simulation", "likeness", "simulation"]


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


def simulation(gateway: Gateway, requests: int, rng: np.random.Generator) -> Simulation:
    """Send *requests* through *gateway*."""
    one = sample(gateway, requests, 1, rng)[0]
    width = len(str(gateway.tasks))
    judgement = judge({f"task-{number:0{width}}": int(count) for number, count in enumerate(one, start=1)})
    return Simulation(gateway, requests, judgement, skew(gateway, requests, rng))


def likeness(source: str, rng: np.random.Generator) -> Likeness:
    """Compare the run in *source*, a file or folder as `lab distribution` takes it, with every policy.

    Raises:
        BadInput: it is none.
    """
    run = measured(analyse(read(source)).subject.exposure)
    return Likeness(source, run, compare(run, rng))
