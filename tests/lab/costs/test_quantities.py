"""Units are carried through. mypy checks the same: each `type: ignore` here would be reported if it were unused."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lab.costs.prices import PriceBook
from lab.costs.quantities import Hours, LcuHours, Requests, Usd

ONE = Decimal(1)


def test_amounts_of_the_same_unit_are_added_and_compared() -> None:
    assert Hours(ONE) + Hours(Decimal(2)) == Hours(Decimal(3))
    assert Hours(Decimal(3)) - Hours(ONE) == Hours(Decimal(2))
    assert Hours(ONE) * 2 == Hours(Decimal(2))
    assert Hours(ONE) < Hours(Decimal(2)) <= Hours(Decimal(2))


def test_amounts_of_different_units_are_never_equal() -> None:
    assert Hours(ONE) != LcuHours(ONE)  # type: ignore[comparison-overlap]


def test_hours_and_requests_cannot_be_added() -> None:
    with pytest.raises(TypeError, match="hour and request cannot be combined"):
        Hours(ONE) + Requests(ONE)  # type: ignore[operator]


def test_hours_and_requests_cannot_be_compared() -> None:
    with pytest.raises(TypeError, match="hour and request cannot be combined"):
        assert Hours(ONE) < Requests(ONE)  # type: ignore[operator]


def test_a_plain_number_is_no_amount() -> None:
    with pytest.raises(TypeError, match="USD and int cannot be combined"):
        Usd(ONE) + 1  # type: ignore[operator]


def test_amounts_are_not_multiplied_by_amounts_or_floats() -> None:
    with pytest.raises(TypeError, match="plain number"):
        Hours(ONE) * Hours(ONE)  # type: ignore[operator]
    with pytest.raises(TypeError, match="plain number"):
        Usd(ONE) * 0.1  # type: ignore[operator]


def test_a_price_takes_only_its_own_unit(prices: PriceBook) -> None:
    assert prices.alb_hour.cost(Hours(Decimal(730))) == Usd(Decimal("19.3158"))
    with pytest.raises(TypeError, match="alb_hour is a price of hour, not of LCU-hour"):
        prices.alb_hour.cost(LcuHours(ONE))  # type: ignore[arg-type]
