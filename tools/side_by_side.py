"""Two commands at the same time: `side_by_side.py FILE FIRST SECOND`, each a line; FILE has what the second prints.

Where one fails the other is ended too; where it is the second, FILE is shown. A terminal's Ctrl-C reaches both.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def main(file: Path, first: str, second: str) -> int:
    """The exit status of the one that failed first, 128 and its number where a signal has ended it, or 0."""
    to_file = [
        (os.POSIX_SPAWN_OPEN, 1, str(file), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    other = _start(second, to_file)
    running = {other, _start(first)}

    def end(*_: object) -> None:
        for pid in running:
            os.kill(pid, signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    failed = 0
    while running:
        pid, status = os.wait()
        running.remove(pid)
        code = os.waitstatus_to_exitcode(status)
        if code and not failed:
            failed = code if code > 0 else 128 - code
            end()
            if pid == other:
                sys.stderr.write(file.read_text(errors="replace"))
    return failed


def _start(line: str, file_actions: Sequence[Any] = ()) -> int:
    words = shlex.split(line)
    return os.posix_spawnp(words[0], words, os.environ, file_actions=file_actions)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
