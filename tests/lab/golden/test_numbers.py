"""Every page says the numbers that were recorded, whatever its words and wherever its code has gone.

A number that rightly changes is recorded anew (record.py) in the commit that changes it; its message gives the reason.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.lab.golden.pages import HERE, PAGES, plain


def differences(recorded: Any, now: Any, where: str = "") -> list[str]:
    """Where the two are not the same, floating-point numbers to nine digits; values that are new are none."""
    if isinstance(recorded, dict) and isinstance(now, dict):
        missing = [f"{where}/{name} is gone" for name in recorded if name not in now]
        return missing + [
            each
            for name, value in recorded.items()
            if name in now
            for each in differences(value, now[name], f"{where}/{name}")
        ]
    if isinstance(recorded, list) and isinstance(now, list) and len(recorded) == len(now):
        return [
            each
            for number, (a, b) in enumerate(zip(recorded, now, strict=True))
            for each in differences(a, b, f"{where}[{number}]")
        ]
    both_numbers = isinstance(recorded, int | float) and isinstance(now, int | float)
    same = pytest.approx(recorded, rel=1e-9, abs=1e-9) == now if both_numbers else recorded == now
    return [] if same else [f"{where}: {recorded!r} was recorded, now {now!r}"]


@pytest.mark.parametrize("page", PAGES)
def test_numbers_are_those_that_were_recorded(page: str) -> None:
    recorded = json.loads((HERE / "numbers" / f"{page}.json").read_text())

    assert not differences(recorded, plain(PAGES[page]()))


def test_a_number_that_moves_is_seen() -> None:
    assert differences({"a": [1.0, None]}, {"a": [1.0 + 1e-6, None], "b": 2}) == [
        "/a[0]: 1.0 was recorded, now 1.000001"
    ]
    assert differences({"a": 1, "b": 2}, {"a": 1}) == ["/b is gone"]
