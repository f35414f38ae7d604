"""`lab simulate`: what a gateway would do, and which policies a measured run is compatible with."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.errors import BadInput
from lab.simulation.gateway import Gateway, Policy

if TYPE_CHECKING:
    from lab.simulation.results import Likeness, Simulation

__all__ = ["simulate"]

_MOST_REQUESTS = 10**15


def simulate(
    policy: Annotated[Policy, typer.Option(help="How a front end picks the task of a request.")] = Policy.RANDOM,
    tasks: Annotated[int, typer.Option(help="Tasks behind the gateway.")] = 3,
    front_ends: Annotated[int, typer.Option(help="Front ends, each balancing by itself.")] = 1,
    requests: Annotated[str, typer.Option(metavar="N", help="Requests of a run, as 3551 or 1e10.")] = "10000",
    in_flight: Annotated[int, typer.Option(help="Requests under way at each front end (least-request).")] = 16,
    run_length: Annotated[int, typer.Option(help="Requests of a connection (sticky).")] = 10,
    seed: Annotated[int, typer.Option(help="The same seed gives the same runs.")] = 1,
    like: Annotated[
        str | None, typer.Option(metavar="FILE", help="Which policies would spread requests as this run did?")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw skew against requests for all policies, as .svg or .png.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """What would a gateway of many front ends do? Drawn from the distribution of the counts, so size costs little.

    With --like the tasks and requests are those of the measured run, and each policy is tried with many parameters.
    """
    import numpy as np

    from lab.simulation.results import likeness, simulation
    from lab.simulation.skew import curves, points
    from lab.simulation.terminal import print_result

    rng = np.random.default_rng(seed)
    gateway = Gateway(policy, tasks, front_ends, in_flight, run_length)
    total = _whole(requests)
    point = None
    result: Simulation | Likeness
    if like is None:
        result = simulation(gateway, total, rng)
    else:
        result = likeness(like, rng)
        run = result.measured
        gateway, total, point = replace(gateway, tasks=run.tasks), run.requests, run.max_deviation
    if picture is not None:
        from lab.pictures import save
        from lab.simulation.pictures import skew_figure

        save(skew_figure(curves(gateway, points(gateway, total), rng), gateway, total, point), picture)
    if as_json:
        print(json.dumps(asdict(result), indent=2, allow_nan=False))
    else:
        print_result(result)


def _whole(text: str) -> int:
    """3551, 10_000 or 1e10. Raises BadInput."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= _MOST_REQUESTS or value != int(value):
        raise BadInput(f"--requests {text!r} is not a whole number from 1 to {_MOST_REQUESTS:.0e}")
    return int(value)
