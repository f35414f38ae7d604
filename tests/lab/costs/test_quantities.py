"""Units are carried through. mypy checks the same: each `type: ignore` here would be reported if it were unused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.costs.prices import PriceBook
from lab.costs.quantities import Hours, LcuHours, Quantity, Requests, Usd, plain

ONE = Decimal(1)
unhurried = settings(deadline=None)
units = st.sampled_from(Quantity.__subclasses__())
amounts = st.decimals(0, 10**9, places=3)


def test_amounts_of_the_same_unit_are_added_and_compared() -> None:
    assert Hours(ONE) + Hours(Decimal(2)) == Hours(Decimal(3))
    assert Hours(Decimal(3)) - Hours(ONE) == Hours(Decimal(2))
    assert Hours(ONE) * 2 == Hours(Decimal(2))
    assert Hours(ONE) < Hours(Decimal(2)) <= Hours(Decimal(2))


@given(units, units, amounts, amounts)
@unhurried
def test_only_the_same_unit_adds_up(unit: type[Quantity], other: type[Quantity], one: Decimal, two: Decimal) -> None:
    if unit is other:
        assert unit(one) + unit(two) == unit(one + two)
    else:
        with pytest.raises(TypeError, match="cannot be combined"):
            unit(one) + other(two)


@pytest.mark.parametrize(
    ("value", "text"), [("10", "10"), ("83.33333333", "83.3333"), ("0.000412", "0.000412"), ("1234567.8", "1,234,570")]
)
def test_six_digits_for_people(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text


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
