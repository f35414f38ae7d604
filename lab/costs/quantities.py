"""Quantities that carry their unit, so that hours and requests cannot be added.

Each unit is a class of its own. `Hours + Requests` is an error to mypy and, at run time, a TypeError; a price takes
only the quantity it is quoted for. All values are Decimal: money is never summed in binary fractions.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal
from typing import ClassVar, Self

__all__ = [
    "Calls",
    "GbHours",
    "GbMonths",
    "Gigabytes",
    "Hours",
    "LcuHours",
    "MetricMonths",
    "NlcuHours",
    "Quantity",
    "Requests",
    "ResourceMonths",
    "Usd",
    "VcpuHours",
    "plain",
    "rounded",
]


@dataclass(frozen=True, slots=True)
class Quantity:
    """An amount of one unit; only amounts of the same unit can be added or compared."""

    value: Decimal
    unit: ClassVar[str]

    def __add__(self, other: Self) -> Self:
        return type(self)(self.value + self._same(other))

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.value - self._same(other))

    def __lt__(self, other: Self) -> bool:
        return self.value < self._same(other)

    def __le__(self, other: Self) -> bool:
        return self.value <= self._same(other)

    def __mul__(self, factor: Decimal | int) -> Self:
        if not isinstance(factor, Decimal | int):
            raise TypeError(f"{self.unit} can be multiplied by a plain number only, not by {type(factor).__name__}")
        return type(self)(self.value * factor)

    def _same(self, other: Self) -> Decimal:
        if type(other) is not type(self):
            raise TypeError(f"{self.unit} and {getattr(other, 'unit', type(other).__name__)} cannot be combined")
        return other.value


class Usd(Quantity):
    """US dollars."""

    __slots__ = ()
    unit = "USD"


class Hours(Quantity):
    """Hours of something that is there: a load balancer, an endpoint in a zone, an address."""

    __slots__ = ()
    unit = "hour"


class VcpuHours(Quantity):
    """Fargate's virtual processors times hours."""

    __slots__ = ()
    unit = "vCPU-hour"


class GbHours(Quantity):
    """Fargate's memory in GB times hours."""

    __slots__ = ()
    unit = "GB-hour"


class LcuHours(Quantity):
    """Capacity units of an application load balancer times hours."""

    __slots__ = ()
    unit = "LCU-hour"


class NlcuHours(Quantity):
    """Capacity units of a network load balancer times hours."""

    __slots__ = ()
    unit = "NLCU-hour"


class Requests(Quantity):
    """Requests as the service that bills them counts them."""

    __slots__ = ()
    unit = "request"


class Calls(Quantity):
    """Discovery calls to Cloud Map."""

    __slots__ = ()
    unit = "call"


class Gigabytes(Quantity):
    """Data moved, in GB of 2**30 bytes."""

    __slots__ = ()
    unit = "GB"


class GbMonths(Quantity):
    """Data kept, in GB of 2**30 bytes for a month."""

    __slots__ = ()
    unit = "GB-month"


class ResourceMonths(Quantity):
    """Instances registered in Cloud Map for a month."""

    __slots__ = ()
    unit = "resource-month"


class MetricMonths(Quantity):
    """CloudWatch metrics for a month."""

    __slots__ = ()
    unit = "metric-month"


def plain(value: Decimal) -> str:
    """*value* to six significant digits, for people."""
    return f"{Context(prec=6).plus(value).normalize():,f}"


def rounded(value: Decimal) -> str:
    """*value* to three significant digits, or whole, for pictures and sentences."""
    return f"{value:,.0f}" if value >= 1000 else f"{Context(prec=3).plus(value).normalize():f}"
