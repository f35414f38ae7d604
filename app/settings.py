"""What the environment tells the service, checked once at the start."""

import dataclasses
import ipaddress
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# ECS waits at most so long between SIGTERM and SIGKILL: stopTimeout in
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
LONGEST_DRAIN_S = 120
LONGEST_START_S = 600


class SettingsError(ValueError):
    """The service cannot start with these settings; the message is one sentence that names the values and the rules."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to listen, who to be, how to end. Each field is read from the variable of its name in capitals.

    `hostname` goes into a header of every answer. `drain_seconds` is for how long new requests are still served after
    SIGTERM; a request in flight may take 30 s more, so a task's stopTimeout has to be longer than both together.
    `start_seconds` pass before it listens, as in a service that takes long to start. `upstreams` has the services that
    `/call` may call, as ``name=http://name:port`` with commas between.
    """

    hostname: str
    host: str = "0.0.0.0"
    port: int = 8080
    drain_seconds: float = 0.0
    start_seconds: float = 0.0
    access_log: bool = False
    upstreams: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Settings from `environ`; an empty variable counts as not set, and HOSTNAME is then the system's host name.

        Raises SettingsError, which names every wrong value and its rule.
        """
        texts = {field: text for field in _READERS if (text := environ.get(field.upper()))}
        texts.setdefault("hostname", socket.gethostname())
        values: dict[str, Any] = {}
        wrong: list[str] = []
        for field, text in texts.items():
            read, rule = _READERS[field]
            try:
                values[field] = read(text)
            except ValueError:
                wrong.append(f"{field.upper()}={text!r} is not {rule}")
        if wrong:
            raise SettingsError(f"The environment has to be corrected: {'; '.join(wrong)}.")
        return cls(**values)


def _hostname(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,253}", text):
        raise ValueError
    return text


def _host(text: str) -> str:
    return str(ipaddress.ip_address(text))


def _port(text: str) -> int:
    if not (re.fullmatch(r"[0-9]{1,5}", text) and 1 <= int(text) <= 65535):
        raise ValueError
    return int(text)


def _seconds(most: int) -> Callable[[str], float]:
    def read(text: str) -> float:
        seconds = float(text)
        if not 0 <= seconds <= most:  # also turns away nan
            raise ValueError
        return seconds

    return read


_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"  # of a host name, RFC 1123


def _upstreams(text: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for entry in text.split(","):
        match = re.fullmatch(
            rf"\s*([a-z0-9-]{{1,63}})=(http://{_LABEL}(?:\.{_LABEL})*(?::([0-9]{{1,5}}))?)/?\s*", entry, re.ASCII
        )
        if match is None or match[1] in found:
            raise ValueError
        if match[3]:
            _port(match[3])
        found[match[1]] = match[2]
    return found


def _switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise ValueError
    return text == "on"


_READERS: dict[str, tuple[Callable[[str], object], str]] = {
    "hostname": (_hostname, "a host name of at most 253 letters, digits, dots, hyphens and underscores"),
    "host": (_host, "an IP address to listen on"),
    "port": (_port, "a port number from 1 to 65535"),
    "drain_seconds": (_seconds(LONGEST_DRAIN_S), f"a number of seconds from 0 to {LONGEST_DRAIN_S}"),
    "start_seconds": (_seconds(LONGEST_START_S), f"a number of seconds from 0 to {LONGEST_START_S}"),
    "access_log": (_switch, "on or off"),
    "upstreams": (_upstreams, "a list such as orders=http://orders:8080 with commas between, each name once"),
}
