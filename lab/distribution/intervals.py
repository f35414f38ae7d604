"""Confidence intervals of the hosts' shares that all hold at once.

Goodman's intervals (Technometrics 7, 1965): Wilson's score interval for each host at the level 1 - alpha / hosts.
"""

from __future__ import annotations

from dataclasses import dataclass

from scipy import stats

from lab.distribution.exposure import Exposure

__all__ = ["Share", "shares"]

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Share:
    """What one host got of the requests in its own time, as fractions with 95 % confidence for all hosts together.

    `deviation` is requests / expected requests - 1.
    """

    host: str
    requests: int
    share: float
    low: float
    high: float
    expected_share: float
    deviation: float
    joined: bool
    left: bool


def shares(exposure: Exposure, hosts: list[str]) -> list[Share]:
    """The share of each of the hosts (k), in the order given."""
    own_time = exposure.requests @ (exposure.shares > 0)
    level = 1 - (1 - CONFIDENCE) / len(hosts)
    rows = []
    for host, observed, expected, total, joined, left in zip(
        hosts, exposure.observed, exposure.expected, own_time, exposure.joined, exposure.left, strict=True
    ):
        low, high = (0.0, 1.0)
        if total:
            low, high = stats.binomtest(int(observed), int(total)).proportion_ci(level, method="wilson")
        rows.append(
            Share(
                host=host,
                requests=int(observed),
                share=observed / total if total else 0.0,
                low=float(low),
                high=float(high),
                expected_share=float(expected / total) if total else 0.0,
                deviation=float(observed / expected - 1) if expected > 0 else 0.0,
                joined=bool(joined),
                left=bool(left),
            )
        )
    return rows
