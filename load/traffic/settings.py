"""What is asked of the service, and how: the load's own options, checked in one place."""

from __future__ import annotations

import math
import re
from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from load.errors import BadOption
from load.traffic.shapes import SHAPES

__all__ = [
    "AUTHORIZATIONS",
    "CLOSE",
    "DEFAULTS",
    "KEEP_ALIVE",
    "POOLED",
    "Connections",
    "LoadSettings",
    "check",
    "parse",
]

KEEP_ALIVE, CLOSE, POOLED = "keep-alive", "close", "pooled"

AUTHORIZATIONS = ("NONE", "AWS_IAM", "JWT")

DEFAULTS: Mapping[str, str] = {
    "path_mix": "hostname=1",
    "payload_bytes": "1024",
    "connections": KEEP_ALIVE,
    "rate": "",
    "shape": "constant",
    "authorization": "",
    "region": "",
}
"""Each option as it is on the command line, in the environment and in the web UI: text."""

# The service answers /payload with at most 10 MB, which is what API Gateway lets through.
_MAX_PAYLOAD = 10_000_000

_PATH = re.compile(r"/?[A-Za-z0-9._~%-][A-Za-z0-9._~%/?&=-]*|/")


@dataclass(frozen=True, slots=True)
class Connections:
    """How requests share connections: `size` is that of a process's pool and means nothing else."""

    kind: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """The load's options, parsed.

    `paths` are what is asked for, each with its weight; `rate` is the number of requests per second that all users
    send together, None for as many as answers allow.
    """

    paths: tuple[tuple[str, float], ...]
    connections: Connections
    rate: float | None
    shape: str
    authorization: str
    region: str

    @classmethod
    def from_options(cls, options: Namespace | Mapping[str, Any] | None) -> LoadSettings:
        """Parse what the options say, with DEFAULTS for what they leave out. Raises BadOption."""
        given = vars(options) if isinstance(options, Namespace) else options or {}
        text = {name: str(given.get(name, default)) for name, default in DEFAULTS.items()}
        value = {name: check(name, text[name]) for name in DEFAULTS}
        query = f"?bytes={value['payload_bytes']}"
        return cls(
            paths=tuple((path + query if path == "/payload" else path, weight) for path, weight in value["path_mix"]),
            connections=value["connections"],
            rate=value["rate"],
            shape=value["shape"],
            authorization=value["authorization"],
            region=value["region"],
        )


def check(name: str, text: str) -> Any:
    """The value of one option, by its name in DEFAULTS. Raises BadOption."""
    try:
        return parse(name, text)
    except ValueError as error:
        raise BadOption(f"--{name.replace('_', '-')} {error}") from None


def parse(name: str, text: str) -> Any:
    """As `check`, but raises ValueError without the option's name, which argparse puts before it."""
    try:
        return _PARSERS[name](text.strip())
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None


def _path_mix(text: str) -> tuple[tuple[str, float], ...]:
    paths = []
    for part in text.split(","):
        path, _, weight = part.strip().rpartition("=")
        if not _PATH.fullmatch(path) or not 0 < _number(weight) < math.inf:
            raise ValueError("each part must be a path and a weight above 0, such as hostname=9,payload=1.")
        paths.append(("/" + path.removeprefix("/"), float(weight)))
    return tuple(paths)


def _payload_bytes(text: str) -> int:
    if not 0 <= _whole(text) <= _MAX_PAYLOAD:
        raise ValueError(f"a whole number from 0 to {_MAX_PAYLOAD} is needed.")
    return int(text)


def _connections(text: str) -> Connections:
    kind, _, size = text.partition(":")
    if text in (KEEP_ALIVE, CLOSE):
        return Connections(kind)
    if kind == POOLED and 1 <= _whole(size) <= 10_000:
        return Connections(kind, int(size))
    raise ValueError("keep-alive, close or pooled:N is needed, N from 1 to 10000.")


def _rate(text: str) -> float | None:
    if not 0 <= _number(text or "0") <= 100_000:
        raise ValueError("requests per second are needed, at most 100000; 0 is a closed loop.")
    return float(text or "0") or None


def _authorization(text: str) -> str:
    if text not in ("", *AUTHORIZATIONS):
        raise ValueError(f"one of {', '.join(AUTHORIZATIONS)} is needed.")
    return text or "NONE"


def _shape(text: str) -> str:
    if text not in SHAPES:
        raise ValueError(f"one of {', '.join(SHAPES)} is needed.")
    return text


def _region(text: str) -> str:
    if text and not re.fullmatch(r"[a-z]{2,}(-[a-z]+)+-\d+", text):
        raise ValueError("a Region's name such as eu-west-2 is needed.")
    return text


def _number(text: str) -> float:
    """The number, or one that no range holds."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else -1


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "path_mix": _path_mix,
    "payload_bytes": _payload_bytes,
    "connections": _connections,
    "rate": _rate,
    "shape": _shape,
    "authorization": _authorization,
    "region": _region,
}
