"""The processes of a twin and what they hold, from /proc."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.twin.running import descendants

__all__ = ["Process", "RotatedLog", "listening", "processes", "resident"]

_LISTEN = "0A"  # the state of a socket in /proc/net/tcp
_KINDS = {
    "proxy.json": "proxy",
    "gateway/bootstrap.json": "gateway",
    "load-balancer/bootstrap.json": "load-balancer",
    "watchdog.py": "watchdog",
    "-m app ": "application",
}


@dataclass(frozen=True)
class Process:
    """*kind*: application, proxy, gateway, load-balancer, watchdog, or check, of health, for whatever else there is."""

    pid: int
    kind: str


def processes(supervisor: int, *, without: int) -> list[Process]:
    """All processes under *supervisor*, but *without* and those under it."""
    own = {without, *descendants(without)}
    found = []
    for pid in descendants(supervisor):
        with contextlib.suppress(OSError):  # it has gone
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if pid not in own and command:  # of a zombie it is empty
                kinds = (kind for part, kind in _KINDS.items() if part in command)
                found.append(Process(pid, next(kinds, "check")))
    return found


def resident(pid: int) -> float:
    """Megabytes of memory."""
    (line,) = (x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("VmRSS"))
    return round(int(line.split()[1]) / 1024, 1)


def listening(pids: Iterable[int]) -> int:
    """How many TCP sockets of these processes listen."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if row[3] == _LISTEN}
    held: set[str] = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            held |= {str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    return len(sockets & held)


class RotatedLog:
    """The lines that a log has ever had, while only it and the one before (`.1`) are kept. No two files begin alike."""

    def __init__(self, path: Path) -> None:
        self._files = path, path.with_name(f"{path.name}.1")
        self._seen: dict[bytes, int] = {}  # lines, by the first of them
        self._gone = 0

    def lines(self) -> int:
        """To be asked at least once for each rotation."""
        present: dict[bytes, int] = {}
        for path in self._files:  # in this order: what is moved in between is read twice, and counted once
            with contextlib.suppress(FileNotFoundError):
                content = path.read_bytes()
                if lines := content.count(b"\n"):
                    present[content.split(b"\n", 1)[0]] = lines
        self._gone += sum(lines for first, lines in self._seen.items() if first not in present)
        self._seen = present
        return self._gone + sum(present.values())
