"""Ends every process group that the supervisor started, once the supervisor is gone, however it went.

Run as a program in a session of its own, with a pipe from the supervisor as standard input. A line
`+PGID` adds a process group, `-PGID` takes it off. End of file means that the supervisor no longer
lives: what is left on the list gets SIGTERM and, a second later, SIGKILL. This needs neither root
nor Linux; PR_SET_PDEATHSIG would miss grandchildren and macOS.
"""

from __future__ import annotations

import os
import signal
import sys
import time

PATIENCE = 1.0  # seconds between SIGTERM and SIGKILL: no request can come any more, so there is nothing to drain for


def end_groups(groups: set[int]) -> None:
    """Send SIGTERM to each process group, and SIGKILL to those that live PATIENCE seconds later."""
    remaining = {group for group in groups if _signal(group, signal.SIGTERM)}
    deadline = time.monotonic() + PATIENCE
    while remaining and time.monotonic() < deadline:
        time.sleep(0.02)  # process groups are not our children: there is nothing to wait on
        remaining = {group for group in remaining if _signal(group, 0)}
    for group in remaining:
        _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        return False
    return True


def main() -> None:
    """Follow the list on standard input until its end, then end what is on it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    end_groups(groups)


if __name__ == "__main__":
    main()
