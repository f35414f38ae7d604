"""Numbers and names in words, the same on every page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from lab.distribution.intervals import Share
from lab.experiments.catalogue import CLIENT_PROXY, DIRECT, LOAD_BALANCER
from lab.experiments.study import Ending, Spread

NO_HOST = "no host known"
WAYS = {DIRECT: "no load balancer", LOAD_BALANCER: "load balancer", CLIENT_PROXY: "client proxy"}
THROUGH = {
    DIRECT: "without a load balancer",
    LOAD_BALANCER: "through the load balancer",
    CLIENT_PROXY: "through the client proxy of another service",
}
"""How the gateway, or another service, finds the tasks, as the head of a column and in a sentence."""

MOST_DRAWN = 30  # hosts in a picture

_TABLES = json.loads(Path(__file__).with_name("glossary.json").read_text())
GLOSSARY: Mapping[str, str] = _TABLES["terms"]
SETTINGS: Mapping[str, str] = _TABLES["settings"]
"""What may be swept, for axes."""


def percent(fraction: float, digits: int = 3) -> str:
    """5 %, 0.0123 %, 1100 %: three significant *digits* at most, or whole."""
    value = 100 * fraction
    return f"{value:.0f} %" if value >= 10**digits / 10 else f"{value:.{digits}g} %"


def digits_of(count: int) -> int:
    """How many significant digits a share carries of which so many were counted: one of 1,116 is 0.09 %."""
    return min(3, len(str(count)))


def p_words(probability: float) -> str:
    """p = 0.018, p < 0.0001."""
    return "p < 0.0001" if probability < 0.0001 else f"p = {probability:.2g}"


def capital(text: str) -> str:
    """With a capital letter in front."""
    return f"{text[:1].upper()}{text[1:]}"


def uncapital(text: str) -> str:
    """With a small letter in front, as behind a colon."""
    return f"{text[:1].lower()}{text[1:]}"


def joined(names: Sequence[str]) -> str:
    """Such as `a, b and c`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def short(hosts: Iterable[str]) -> dict[str, str]:
    """Hostnames up to the first dot, where that tells them apart; "" is no host."""
    names = [host for host in hosts if host]
    cut = [host.partition(".")[0] for host in names]
    told = dict(zip(names, cut if all(cut) and len(set(cut)) == len(set(names)) else names, strict=True))
    return {**told, "": NO_HOST}


def furthest(shares: Sequence[Share], most: int) -> list[Share]:
    """The shares furthest off what is expected, so many at most, in the order given."""
    chosen = sorted(shares, key=lambda share: -abs(share.deviation))[:most]
    return [share for share in shares if share in chosen] if len(chosen) < len(shares) else list(shares)


def deviation_ends(share: Share) -> tuple[float, float]:
    """The interval of a share as that of the deviation from its even part."""
    if not share.expected_share:
        return 0.0, 0.0
    return share.low / share.expected_share - 1, share.high / share.expected_share - 1


def lost_seconds(found: Sequence[float]) -> str:
    """Of one run or several: such as `0.8 (0.6 to 0.9) s`, or `none`."""
    return f"{spread(Spread.of(found, 's'))} s" if max(found) else "none"


def seconds(value: float) -> str:
    """To a tenth; less than that to one significant digit, so that one lost request is no zero."""
    return f"{value:.1g}" if 0 < value < 0.05 else f"{value:.1f}"


def _percentage(value: float, digits: int = 3) -> str:
    return percent(value / 100, digits).removesuffix(" %")


_UNITS: Mapping[str, Callable[[float], str]] = {
    "": lambda value: f"{value:,.0f}" if value % 1 == 0 else f"{value:,.1f}",  # a median of two may be a half
    "%": _percentage,
    "s": seconds,
    "ms": "{:,.1f}".format,
}


def spread(of: Spread, digits: int = 3) -> str:
    """Such as `1.3 (0.9 to 2.1)`, in the figure's unit; so many *digits* of a percentage."""
    told = partial(_percentage, digits=digits) if of.unit == "%" else _UNITS[of.unit]
    low, median, high = (told(value) for value in (of.low, of.median, of.high))
    # A narrow column breaks before the parenthesis, not inside of it.
    return median if low == high else f"{median} " + f"({low} to {high})".replace(" ", "\xa0")


def interval(low: float, high: float, unit: str) -> str:
    """Of a difference, such as `-0.8 to +1.0`, in the figure's unit."""
    return " to ".join(f"{'-' if end < 0 else '+'}{_UNITS[unit](abs(end))}" for end in (low, high))


def drain(seconds: float, ending: Ending | None) -> str:
    """What the application does on SIGTERM, where that was seen, beside its `drain_seconds`."""
    return {
        None: f"drain_seconds {seconds:g}",
        Ending.AS_SET: f"serves on for {seconds:g} s" if seconds else "ends at once",
        Ending.AT_ONCE: f"ends at once, though drain_seconds is {seconds:g}",
        Ending.SOONER: f"ends sooner than drain_seconds {seconds:g}",
        Ending.LATER: f"runs on for longer than drain_seconds {seconds:g}",
    }[ending]
