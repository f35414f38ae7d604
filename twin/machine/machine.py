"""What a part that runs programs works with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from twin.machine.addresses import LoopbackAddresses
from twin.machine.process import Processes

__all__ = ["Machine"]


@dataclass(frozen=True)
class Machine:
    """One twin's share of the machine.

    Attributes:
        processes: starts its programs.
        addresses: hands out its loopback addresses.
        envoy: the path of Envoy's program.
        folder: where its parts have folders for configuration and logs.
    """

    processes: Processes
    addresses: LoopbackAddresses
    envoy: str
    folder: Path
