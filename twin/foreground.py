"""How long a twin stays: until a signal, the end of its parent, or the end of the command that it was started for."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from twin.aws.client import Aws
from twin.errors import StartFailed
from twin.machine.process import Process, Processes
from twin.stack.override import own_state

__all__ = ["Foreground"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PARENT_POLL = 0.5  # seconds
_COMMAND_PATIENCE = 45.0  # seconds for a command to end after a signal: it may have results to write


class Foreground:
    """The task in which it is made is cancelled when the twin is to end."""

    def __init__(self, then: Sequence[str] | None, processes: Processes, *, with_parent: bool) -> None:
        """
        Args:
            then: the command; None: there is none, and the twin stays.
            with_parent: whether it ends with the process that started this one.
        """
        self.then = then
        self.serves = False  # whether it has come up
        self._processes = processes
        self._command: Process | None = None
        self._ended_by: int | None = None  # the first signal
        self._given_up: StartFailed | None = None  # why, where it served and yet does not come up
        self._loop = asyncio.get_running_loop()
        main = asyncio.current_task()
        assert main is not None
        self._main: asyncio.Task[object] = main
        for number in _SIGNALS:
            self._loop.add_signal_handler(number, self._on_signal, number)
        self._orphaned = self._loop.create_task(self._end_with_parent()) if with_parent else None

    async def stay(self, aws: Aws, state: Path, umask: int) -> int:
        """Stay up, or run the command, led to *aws*, the endpoint, and to *state*, its folder; its exit code.

        Raises:
            StartFailed: the twin has given up meanwhile.
        """
        if self.then is None:
            await asyncio.Event().wait()
        assert self.then is not None
        env = os.environ | aws.environment(os.environ) | own_state(os.environ)
        env["TWIN_STATE"] = str(state)
        self._command = await self._processes.spawn("the command", self.then, env=env, umask=umask)
        code = await self._command.wait()
        if self._given_up is not None:
            raise self._given_up
        return code if code >= 0 else 128 - code  # a signal as a shell tells it: 137 for SIGKILL

    async def give_up(self, error: StartFailed) -> NoReturn:
        """Raise *error*, after the command that runs has had time to end in order."""
        self._given_up = error
        if self._command is not None:
            self._command.signal(signal.SIGTERM)
            await asyncio.sleep(_COMMAND_PATIENCE)
        raise error

    def code_of_end(self) -> int | None:
        """The exit code of a twin that was cancelled; None: by no signal."""
        if self._ended_by is None:
            return None
        # To end a twin that just serves is what one does with it.
        return 0 if self.serves and self.then is None else 128 + self._ended_by

    def close(self) -> None:
        """The twin goes down, which is said where no error says it; who cannot wait for it gets it over with."""
        if self._orphaned is not None:
            self._orphaned.cancel()
        for number in _SIGNALS:
            self._loop.add_signal_handler(number, self._processes.kill)
        if sys.exception() is None:
            print("twin: going down", file=sys.stderr, flush=True)

    async def _end_with_parent(self) -> None:
        """Act as on SIGTERM once this process has another parent than it began with."""
        parent = os.getppid()
        while os.getppid() == parent:
            await asyncio.sleep(_PARENT_POLL)
        self._on_signal(signal.SIGTERM)

    def _on_signal(self, number: int) -> None:
        """The first signal goes to the command, if there is one, so that it can end in order; the next ends all."""
        if self._command is not None and self._ended_by is None:
            # Ctrl-C reaches every process of a terminal's job; other signals the one they are sent to.
            if number == signal.SIGINT:
                self._command.signal_group(number)
            else:
                self._command.signal(number)
            self._loop.call_later(_COMMAND_PATIENCE, self._main.cancel)
        else:
            self._main.cancel()
        self._ended_by = self._ended_by or number
