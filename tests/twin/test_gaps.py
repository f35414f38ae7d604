"""The list of what of a stack the twin does not do."""

from __future__ import annotations

from dataclasses import dataclass

from twin.gaps import Gap, gaps_of


@dataclass
class Part:
    gaps: list[Gap]


def test_a_gap_is_one_line_with_or_without_an_argument() -> None:
    assert str(Gap("service shop", "tls", "plain HTTP is spoken")) == "service shop, tls: plain HTTP is spoken"
    assert str(Gap("route GET /b", "", "it names no authorizer")) == "route GET /b: it names no authorizer"


def test_what_two_parts_name_is_listed_once_in_the_order_of_the_parts() -> None:
    one, two, three = (Gap("service shop", name, "no use") for name in ("one", "two", "three"))

    assert gaps_of(Part([one, two]), Part([]), Part([two, three])) == [one, two, three]
