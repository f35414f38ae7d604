"""A command of ours in the tests' process: what it imports is imported once."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest


class Ran(NamedTuple):
    """What a call gave: exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.out)
        return content


Command = Callable[..., Ran]


def in_process(name: str, main: Callable[[], None]) -> Command:
    """What calls *main* as the command *name* with its arguments."""

    def command(*arguments: str) -> Ran:
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
        argv = mock.patch.object(sys, "argv", [name, *arguments])
        with argv, redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as end:
            main()
        return Ran(int(end.value.code or 0), *(stream.buffer.getvalue().decode() for stream in (out, err)))

    return command


def ends_unread(program: str, *arguments: str, cwd: Path) -> tuple[int, bytes]:
    """Exit code and stderr of a Python *program* whose output goes into a pipe that nobody reads any more."""
    reads, writes = os.pipe()
    os.close(reads)
    try:
        ended = subprocess.run([sys.executable, "-c", program, *arguments], cwd=cwd, stdout=writes, stderr=-1)
    finally:
        os.close(writes)
    return ended.returncode, ended.stderr
