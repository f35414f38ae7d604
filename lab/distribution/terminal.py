"""The analysis in the terminal: a table with bars, and the answers in plain words."""

from __future__ import annotations

from rich.bar import Bar
from rich.console import Console
from rich.table import Table

from lab.distribution.analysis import Analysis
from lab.distribution.intervals import Share
from lab.distribution.longer import LongerRun
from lab.distribution.wording import p_words, percent
from lab.distribution.zones import Zones

__all__ = ["furthest", "new_console", "print_analysis"]

_WIDTH = 140  # where no terminal says how wide it is
_MOST_ROWS = 40
_BAR = 24


def new_console() -> Console:
    """Standard output, wide enough for a table when it is not a terminal."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = _WIDTH
    return console


def furthest(shares: tuple[Share, ...], most: int) -> list[Share]:
    """The shares furthest off what is expected, so many at most, in the order given."""
    chosen = sorted(shares, key=lambda share: -abs(share.deviation))[:most]
    return [share for share in shares if share in chosen] if len(chosen) < len(shares) else list(shares)


def print_analysis(analysis: Analysis, console: Console) -> None:
    """Print everything that was found."""
    judgement = analysis.judgement
    console.print(f"{analysis.source}: taken for {analysis.taken_for}.")
    for note in analysis.notes:
        console.print(note)
    rows = furthest(analysis.shares, _MOST_ROWS)
    if len(rows) < len(analysis.shares):
        console.print(f"The {len(rows)} of {len(analysis.shares):,} hosts that are furthest off:")
    console.print(_table("host", rows))
    if judgement.unknown_host:
        console.print(f"{judgement.unknown_host:,} more requests have no known host; they are left out of the test.")
    if judgement.left_out:
        console.print(
            f"{judgement.left_out:,} requests fell into windows in which a host came or went, and are left out."
        )
    console.print(f"\n{judgement.explanation}")
    console.print(
        f"Dispersion {judgement.dispersion:.3g} (chance: 1), Cramér's V {judgement.cramers_v:.3g}, "
        f"{p_words(judgement.p_value)} for as much spread, {p_words(judgement.p_value_lower)} for as little "
        f"({judgement.method})."
    )
    order = judgement.dependence
    if order is not None:
        console.print(
            f"Order: {order.repeats:,} of {order.pairs:,} answers repeat the host of the one before, "
            f"{order.expected_repeats:,.0f} by chance; {p_words(order.p_sticky)} for so many, "
            f"{p_words(order.p_in_turn)} for so few."
        )
    if order is not None and order.matrix is not None:
        matrix = order.matrix
        console.print(
            f"Transition matrix against independence: chi-square {matrix.chi_square:.2f} on "
            f"{matrix.degrees_of_freedom} degrees of freedom, {p_words(matrix.p_value)}."
        )
    if analysis.longer_run is not None:
        _print_longer_run(analysis.longer_run, console)
    if analysis.zones is not None:
        _print_zones(analysis.zones, console)


def _table(what: str, shares: list[Share]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(what, overflow="fold")
    for title in ("requests", "share", "95 % interval", "vs even"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("")
    largest = max((share.share for share in shares), default=0.0)
    for share in shares:
        name = share.host + (" (joined)" if share.joined else "") + (" (left)" if share.left else "")
        table.add_row(
            name,
            f"{share.requests:,}",
            f"{share.share:.2%}",
            f"{share.low:.2%} to {share.high:.2%}",
            f"{share.deviation:+.2%}",
            Bar(largest or 1.0, 0, share.share, width=_BAR),
        )
    return table


def _print_longer_run(longer_run: LongerRun, console: Console) -> None:
    console.print(f"\n{longer_run.explanation}")
    if longer_run.p_heterogeneity is not None and longer_run.p_trend is not None:
        console.print(
            f"Windows: {longer_run.windows_uneven} of {longer_run.windows} are uneven each by itself at 5 %, "
            f"{longer_run.windows / 20:.2g} by chance; {p_words(longer_run.p_heterogeneity)} for the differences "
            f"between them, {p_words(longer_run.p_trend)} for a trend."
        )


def _print_zones(zones: Zones, console: Console) -> None:
    console.print()
    console.print(_table("zone", [zone.share for zone in zones.zones]))
    if zones.between is not None:
        console.print(f"Between zones: {zones.between.explanation}")
    for zone in zones.zones:
        if zone.within is not None:
            console.print(f"Within {zone.zone}: {zone.within.explanation}")
    entry = ", ".join(f"{zone} {percent(fraction)}" for zone, fraction in zones.entry.items())
    supposed = "supposing that requests come in evenly" if zones.entry_assumed else "with requests that come in"
    console.print(
        f"Crossed zones: {percent(zones.crossed)} of the requests, {supposed} by zone ({entry}) and that the host is "
        "picked without regard to it."
    )
