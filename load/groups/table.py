"""What each group got, as text: for the table in the terminal, and for others that show the same columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo

from load.groups.evenness import EvenPart
from load.groups.rows import GroupRow

__all__ = ["cells", "chance_sentence", "clock", "columns", "shown_name", "table"]

_MOST_ROWS = 50

# Who looks again and again while a test runs sees what one look exceeds once in 20 times more often than that.
_LOOK = "at any one look"


def columns(noun: str, detail_noun: str) -> tuple[str, ...]:
    """The heads; the detail has a column where it has a noun."""
    detail = (detail_noun,) if detail_noun else ()
    return (noun, *detail, "requests", "share", "vs even", "failures", "p50 ms", "p95 ms", "p99 ms")


def shown_name(group: str, noun: str) -> str:
    """The group, or what stands for none."""
    return group or f"(no {noun} known)"


def clock(seconds: float, zone: tzinfo | None = None) -> str:
    """The time of day where the reader is, or, where that is not known, in UTC, which it says."""
    return f"{datetime.fromtimestamp(seconds, zone or UTC):%H:%M:%S}{'' if zone else ' UTC'}"


def cells(row: GroupRow, even: EvenPart | None, noun: str, detail_noun: str) -> tuple[str, ...]:
    """The texts of a row, one for each of `columns`; `even` None where there is nothing to compare the group with."""
    return (
        shown_name(row.group, noun),
        *((row.detail,) if detail_noun else ()),
        f"{row.requests:,}",
        f"{row.share:.1%}",
        "" if even is None else f"{even.deviation:+z.1%}",
        f"{row.failures:,}",
        *(f"{ms:.1f}" for ms in (row.p50_ms, row.p95_ms, row.p99_ms)),
    )


def chance_sentence(even: Mapping[str, EvenPart]) -> str:
    """What chance alone does to the groups' deviations; empty where no group is compared."""
    if not even:
        return ""
    chances = [part.chance for part in even.values()]
    least, most = (f"{of(chances):.1%}" for of in (min, max))
    if least == most:
        return f"By chance alone the furthest of these would be within {most} of its even part 19 times of 20 {_LOOK}."
    return (
        f"By chance alone all of these would be near their even part 19 times of 20 {_LOOK}: each within "
        f"{least} to {most} of it, the less the more requests that part is."
    )


def table(
    rows: Sequence[GroupRow], even: Mapping[str, EvenPart], notes: Sequence[str], noun: str, detail_noun: str
) -> str:
    """A line for each group, their sum and the notes; `even` is by group."""
    if not rows:
        return "\n".join(["No requests were made.", *notes])
    heads = columns(noun, detail_noun)
    texts = 2 if detail_noun else 1
    lines = [cells(row, even.get(row.group), noun, detail_noun) for row in rows[:_MOST_ROWS]]
    total, failures = (f"{sum(numbers):,}" for numbers in ([row.requests for row in rows], [r.failures for r in rows]))
    sums = {noun: "all", "requests": total, "failures": failures}
    lines.append(tuple(sums.get(head, "") for head in heads))
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]

    def line(of: Sequence[str]) -> str:
        aligned = [
            cell.ljust(width) if number < texts else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(of, widths, strict=True))
        ]
        return "  ".join(aligned).rstrip()

    rule = "  ".join("-" * width for width in widths)
    written = [f"Requests by {noun}", line(heads), rule, *map(line, lines[:-1]), rule, line(lines[-1])]
    if len(rows) > _MOST_ROWS:
        written.append(f"... and {len(rows) - _MOST_ROWS} more, all in the CSV file")
    if chance := chance_sentence(even):
        written.append(chance)
    return "\n".join(["", *written, "", *notes])
