"""The results of a simulation in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from lab.distribution.terminal import new_console
from lab.distribution.wording import percent
from lab.simulation.gateway import Gateway, Policy
from lab.simulation.likeness import Candidate
from lab.simulation.results import Likeness, Simulation
from lab.simulation.skew import Band

__all__ = ["parameters", "print_result"]

_PARAMETERS = {
    Policy.RANDOM: "",
    Policy.ROUND_ROBIN: "front ends",
    Policy.LEAST_REQUEST: "requests in flight at each front end",
    Policy.STICKY: "requests of a connection",
}


def parameters(gateway: Gateway) -> str:
    """The gateway in words."""
    words = f"{gateway.tasks:,} tasks, {gateway.front_ends:,} front end{'s' if gateway.front_ends > 1 else ''}"
    if gateway.policy is Policy.LEAST_REQUEST:
        words += f", {gateway.in_flight:,} requests in flight at each"
    if gateway.policy is Policy.STICKY:
        words += f", {gateway.run_length:,} requests a connection"
    return words


def print_result(result: Simulation | Likeness) -> None:
    """Print to standard output."""
    console = new_console()
    if isinstance(result, Simulation):
        _print_simulation(result, console)
    else:
        _print_likeness(result, console)


def _print_simulation(result: Simulation, console: Console) -> None:
    gateway = result.gateway
    console.print(f"{gateway.policy}: {parameters(gateway)}, {result.requests:,} requests.")
    if gateway.policy is Policy.LEAST_REQUEST and result.requests < 20 * gateway.in_flight * gateway.front_ends:
        console.print(
            "With so few requests for those in flight the spread is less than this says: the start is left out."
        )
    console.print(f"\nOne run: {result.run.explanation}")
    console.print(f"\n{result.skew.runs:,} runs: median, and 95 % of them")
    console.print(f"  task furthest off its share  {_band(result.skew.max_deviation, percents=True)}")
    console.print(f"  dispersion (chance: 1)       {_band(result.skew.dispersion)}")


def _print_likeness(result: Likeness, console: Console) -> None:
    run = result.measured
    part = "" if run.whole else " (its longest stretch with unchanged hosts)"
    console.print(
        f"{result.source}{part}: {run.requests:,} requests over {run.tasks:,} tasks, chi-square {run.chi_square:.2f}, "
        f"dispersion {run.chi_square / (run.tasks - 1):.3g}. Would a policy spread requests like this?"
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("policy", "parameter", "compatible", "not compatible"):
        table.add_column(column)
    for policy in Policy:
        mine = [candidate for candidate in result.candidates if candidate.policy is policy]
        yes = ", ".join(_value(candidate) for candidate in mine if candidate.compatible)
        no = ", ".join(_value(candidate) for candidate in mine if not candidate.compatible)
        table.add_row(policy.value, _PARAMETERS[policy], yes, no)
    console.print(table)


def _value(candidate: Candidate) -> str:
    if candidate.parameter is None:
        return f"p = {candidate.p_value:.2g}"
    return f"{candidate.parameter:,}"


def _band(band: Band, percents: bool = False) -> str:
    low, median, high = (percent(v) if percents else f"{v:.3g}" for v in (band.low, band.median, band.high))
    return f"{median} ({low} to {high})"
