"""`lab distribution`: reads, judges, prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lab.errors import AnswerIsNo, BadInput

__all__ = ["distribution", "fraction", "ratios"]


def distribution(
    source: Annotated[
        str, typer.Argument(metavar="FILE", help="A file, the folder of a run, or - for standard input.")
    ],
    weights: Annotated[
        list[str] | None, typer.Option(metavar="HOST=N", help="Expected ratio of a host, 1 if not given; repeatable.")
    ] = None,
    detect: Annotated[
        str, typer.Option(metavar="PERCENT", help="The skew of one host that must not be missed.")
    ] = "5%",
    entry: Annotated[
        list[str] | None,
        typer.Option(metavar="ZONE=N", help="Ratio of requests that come in by a zone, even if not given; repeatable."),
    ] = None,
    picture: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it, as .svg or .png.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 if uneven.")] = False,
) -> None:
    """Is it even? Shares, verdict, order, time and zones of the requests that each host answered.

    FILE holds hostnames one a line (with or without a time), the output of `sort | uniq -c`, or a table with the
    columns hostname and requests; or it is the folder of a run.
    """
    from lab.distribution.analysis import analyse
    from lab.distribution.terminal import new_console, print_analysis
    from lab.records.answers import read

    analysis = analyse(
        read(source),
        weights=ratios(weights, "--weights"),
        detect=fraction(detect, "--detect"),
        entry=ratios(entry, "--entry"),
    )
    if picture is not None:
        from lab.distribution.pictures import analysis_figure
        from lab.pictures import save

        save(analysis_figure(analysis), picture)
    if as_json:
        print(json.dumps(analysis.as_dict(), indent=2, allow_nan=False))
    else:
        print_analysis(analysis, new_console())
    if check and analysis.judgement.verdict == "uneven":
        raise AnswerIsNo(f"{analysis.source} is uneven")


def fraction(text: str, option: str) -> float:
    """5% or 0.05 as 0.05. Raises BadInput."""
    number = text.strip()
    value = _number(number.removesuffix("%"), f"{option} {text!r} is not a percentage such as 5%")
    if number.endswith("%"):
        return value / 100
    if value > 1:
        raise BadInput(f"{option} {text} could be {text}% or a fraction: write {text}%")
    return value


def ratios(texts: list[str] | None, option: str) -> dict[str, float]:
    """["a=2"] as {"a": 2.0}. Raises BadInput."""
    found: dict[str, float] = {}
    for text in texts or []:
        name, equals, number = text.rpartition("=")
        if not (name and equals):
            raise BadInput(f"{option} {text!r} is not a name, an equals sign and a number, such as NAME=2")
        found[name] = _number(number, f"{option} {text!r} has no number after the equals sign")
    return found


def _number(text: str, complaint: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadInput(complaint) from None
