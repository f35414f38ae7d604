"""The verdict in plain words, with its numbers."""

from __future__ import annotations

from typing import Literal

from lab.distribution.dependence import Dependence
from lab.distribution.goodness import Goodness
from lab.distribution.power import POWER

__all__ = ["Verdict", "explain", "p_words", "percent"]

Verdict = Literal["uneven", "round-robin", "random", "too-few"]


def explain(
    verdict: Verdict,
    goodness: Goodness,
    found: Dependence | None,
    *,
    requests: int,
    hosts: int,
    furthest: str,
    deviation: float,
    needed: int,
    detect: float,
    visible: float,
    what: str,
    among_many: bool = False,
) -> str:
    """One sentence for one verdict on `what`: host or zone; *among_many* of them none claims how hosts are picked."""
    freedom = goodness.degrees_of_freedom
    numbers = f"chi-square {goodness.chi_square:.2f} on {freedom} degree{'s' if freedom > 1 else ''} of freedom"
    spread = f"{requests:,} requests over {hosts:,} {what}s"
    look = f"to see a {what} {percent(detect)} off its share with {percent(POWER)} power"
    if verdict == "uneven":
        side = "above" if deviation > 0 else "below"
        return (
            f"Uneven: {spread} differ by more than chance explains ({numbers}, {p_words(goodness.upper)}); "
            f"{furthest} is {percent(abs(deviation))} {side} its share{_runs(found)}."
        )
    if verdict == "round-robin" and among_many:
        return f"More even than random choice usually is ({p_words(goodness.lower)}): {spread} ({numbers})."
    if verdict == "round-robin":
        if found is not None and found.p_in_turn < goodness.lower:
            return (
                f"Round robin: {spread} come in turn: {found.repeats:,} of {found.pairs:,} answers repeat the host of "
                f"the one before, random choice would make it {found.expected_repeats:,.0f} "
                f"({p_words(found.p_in_turn)} for so few)."
            )
        return (
            f"Round robin: {spread} differ by less than random choice would let them ({numbers}, "
            f"{p_words(goodness.lower)} for so little)."
        )
    if verdict == "random":
        return (
            f"Random: {spread} differ as random choice would let them ({numbers}, {p_words(goodness.upper)}), and "
            f"{needed:,} are enough {look}{_runs(found)}."
        )
    shows = f"; these show only one that is {percent(visible)} off" if visible <= 1 else ""
    return (
        f"Too few requests to say: {spread} differ by no more than chance explains ({numbers}, "
        f"{p_words(goodness.upper)}), but it takes {needed:,} {look}{shows}{_runs(found)}."
    )


def _runs(found: Dependence | None) -> str:
    if found is None or not found.sticky:
        return ""
    return (
        f"; answers stick to a host ({found.run_length:.3g} in a row, {found.expected_run_length:.3g} by chance, "
        f"{p_words(found.p_sticky)})"
    )


def percent(fraction: float) -> str:
    """5 %, 0.0123 %, 1100 %: three significant digits, or whole."""
    value = 100 * fraction
    return f"{value:.0f} %" if value >= 100 else f"{value:.3g} %"


def p_words(probability: float) -> str:
    """p = 0.018, p < 0.0001."""
    return "p < 0.0001" if probability < 0.0001 else f"p = {probability:.2g}"
