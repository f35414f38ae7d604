"""What is judged: counts, weights and windows, checked and in one order."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lab.distribution.exposure import SETTLE, Exposure, Stay, constant_exposure, exposure_over
from lab.errors import BadInput
from lab.records.observations import Windows

__all__ = ["Subject", "expose"]

_LARGEST = 2**53  # counts are compared as floating-point numbers, which are exact up to here


@dataclass(frozen=True, eq=False)
class Subject:
    """What is judged: hosts (k), in the order of the exposure's columns, and requests whose host is not known."""

    hosts: list[str]
    exposure: Exposure
    unknown: int


def expose(
    counts: Mapping[str, int],
    weights: Mapping[str, float] | None = None,
    windows: Windows | None = None,
    presence: Mapping[str, Stay] | None = None,
    settle: float = SETTLE,
) -> Subject:
    """Check what `judge` is given, and set out what is expected of each host when. Raises BadInput."""
    if not 0 <= settle < math.inf:
        raise BadInput(f"a settle time of {settle:g} s cannot be left out: give 0 or more seconds")
    known, weight, unknown = _checked(counts, weights or {})
    # One order for all: sums of floating-point numbers depend on it, and a verdict must not.
    names = list(known)
    order = np.array(sorted(range(len(names)), key=lambda i: (weight[names[i]], known[names[i]], names[i])))
    hosts = [names[i] for i in order]
    observed = np.array([known[host] for host in hosts], dtype=np.int64)
    factors = np.array([weight[host] for host in hosts], dtype=np.float64)
    if windows is None:
        return Subject(hosts, constant_exposure(observed, factors), unknown)
    stays = [(presence or {}).get(host) for host in hosts]
    return Subject(hosts, exposure_over(observed, factors, windows.columns(order), stays, settle), unknown)


def _checked(counts: Mapping[str, int], weights: Mapping[str, float]) -> tuple[dict[str, int], dict[str, float], int]:
    """Requests by known host (in the order of `counts`, then those only weighted), their weights, unknown requests."""
    for host, weight in weights.items():
        if not (math.isfinite(weight) and weight > 0):
            raise BadInput(f"the weight {weight:g} of host {host!r} is not a positive number")
    known: dict[str, int] = {}
    unknown = 0
    for host, count in counts.items():
        try:
            number = operator.index(count)
        except TypeError:
            raise BadInput(f"the count {count!r} of host {host!r} is not a whole number") from None
        if number < 0:
            raise BadInput(f"the count {number} of host {host!r} is negative: counts start at 0")
        if host:
            known[host] = number
        else:
            unknown = number
    for host in weights:
        known.setdefault(host, 0)
    if len(known) < 2:
        only = f"only one host ({next(iter(known))})" if known else "no host"
        raise BadInput(f"{only} answered: evenness needs at least two hosts to compare")
    if sum(known.values()) >= _LARGEST:
        raise BadInput(f"the counts add up to more than {_LARGEST:,}, which is beyond exact arithmetic")
    return known, {host: float(weights.get(host, 1.0)) for host in known}, unknown
