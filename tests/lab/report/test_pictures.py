from __future__ import annotations

import re

from lab.report.pictures.timeline import heat_map


def colours(shares: list[float]) -> list[str]:
    """The fills of the cells, from left to right; cells in which nothing failed have none."""
    svg = heat_map(("discovery_ttl", ""), [{"discovery_ttl": float(n)} for n in range(len(shares))], shares)
    cells = svg[svg.index('id="QuadMesh') : svg.index('id="matplotlib.axis')]
    return re.findall(r'style="fill: (?!none)([^"]*?)(?:; stroke[^"]*)?"', cells)


def test_a_share_has_the_same_colour_beside_any_other() -> None:
    assert colours([0.012])[0] == colours([0.012, 0.17])[0] == colours([0.9, 0.012])[1]
    assert len(set(colours([0.0001, 0.001, 0.01, 0.1, 1.0]))) == 5


def test_what_is_hardly_lossy_is_not_drawn_as_lossless() -> None:
    assert colours([0.0, 0.0]) == []
    assert len(colours([0.0, 0.00001])) == 1
