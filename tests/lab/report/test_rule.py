from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from lab.report.words import rule

TTLS, DRAINS = (0.0, 1.0, 10.0, 30.0), (0.0, 5.0, 20.0)


@pytest.mark.parametrize(
    ("is_lossless", "said"),
    [
        (lambda ttl, drain: drain >= 5 and ttl <= 10, "discovery_ttl of 10 or less with drain_seconds of 5 or more"),
        (
            lambda ttl, drain: (drain >= 5 and ttl <= 10) or ttl == 0,
            "drain_seconds of 5 or more with discovery_ttl of 10 or less, and drain_seconds 0 with discovery_ttl 0",
        ),
        (lambda ttl, drain: drain == 20, "every discovery_ttl with drain_seconds 20"),
        (lambda ttl, drain: ttl in (1, 10), "discovery_ttl of 1 to 10 with every drain_seconds"),
        (lambda ttl, drain: ttl in (0, 10) and drain in (0, 20), ""),
        (lambda ttl, drain: False, ""),
    ],
)
def test_a_grid(is_lossless: Callable[[float, float], bool], said: str) -> None:
    lossless: dict[tuple[float, ...], bool] = {
        (ttl, drain): is_lossless(ttl, drain) for ttl, drain in product(TTLS, DRAINS)
    }

    assert rule(["discovery_ttl", "drain_seconds"], lossless) == said


def test_a_grid_that_lacks_a_setting_has_no_rule() -> None:
    lossless: dict[tuple[float, ...], bool] = {(ttl, drain): drain > 0 for ttl, drain in product(TTLS, DRAINS)}
    del lossless[10.0, 5.0]

    assert rule(["discovery_ttl", "drain_seconds"], lossless) == ""


@pytest.mark.parametrize(
    ("good", "said"), [({5.0, 20.0}, "drain_seconds of 5 or more"), ({0.0, 20.0}, ""), (set(), "")]
)
def test_one_name(good: set[float], said: str) -> None:
    assert rule(["drain_seconds"], {(drain,): drain in good for drain in DRAINS}) == said
