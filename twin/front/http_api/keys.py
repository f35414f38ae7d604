"""The issuers' keys, fetched beside all else: a silent issuer holds up nothing but its own routes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Set
from concurrent.futures import ThreadPoolExecutor

__all__ = ["IssuerKeys"]

_KEYS_STAY = 7200.0  # seconds for which an issuer's keys are used [apigw, JWT authorizers]
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0  # seconds before an issuer without keys is asked again, which double (assumed)
_ASKED_WITHIN = 3.0  # seconds: two documents, each with its timeout
_THREADS = 8  # of its own, so that silent issuers take none from discovery


class IssuerKeys:
    """Fetches the keys of each issuer that is wanted, and again when they are old; they stay until there are new."""

    def __init__(
        self,
        fetch: Callable[[str], str],
        *,
        changed: Callable[[], Awaitable[None]],
        log: Callable[..., None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """
        Args:
            fetch: the keys of an issuer, as the text of a JWKS; raises if there are none. Called in a thread.
            changed: awaited when an issuer has given keys that it had not before.
            log: told what goes wrong, as `log("gateway", step=..., ...)`.
        """
        self._fetch = fetch
        self._changed = changed
        self._log = log
        self._sleep = sleep
        self._keys: dict[str, str] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}  # by issuer
        self._asked: dict[str, asyncio.Event] = {}  # by issuer: it has answered, or not, once
        self._threads = ThreadPoolExecutor(_THREADS, "issuer")

    def want(self, issuers: Set[str]) -> None:
        """Fetch the keys of these, and forget all others."""
        for issuer in self._tasks.keys() - issuers:
            self._tasks.pop(issuer).cancel()
            self._asked.pop(issuer).set()
            self._keys.pop(issuer, None)
        for issuer in issuers - self._tasks.keys():
            self._asked[issuer] = asyncio.Event()
            self._tasks[issuer] = asyncio.create_task(self._keep(issuer, self._asked[issuer]))

    def of(self, issuer: str) -> str | None:
        """The issuer's keys; None as long as it has given none."""
        return self._keys.get(issuer)

    async def asked(self) -> None:
        """Wait until each issuer has been asked once, in vain or not, but not for long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ASKED_WITHIN):
                for event in list(self._asked.values()):
                    await event.wait()

    async def _keep(self, issuer: str, asked: asyncio.Event) -> None:
        wait = _FIRST_WAIT
        while True:
            try:
                keys = await asyncio.get_running_loop().run_in_executor(self._threads, self._fetch, issuer)
            except Exception as error:  # whatever a stranger sends, it is asked again
                reason = str(error) or type(error).__name__
                self._log("gateway", step="no keys for JWT", reason=reason, again_in=wait)
                asked.set()
                await self._sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT)
                continue
            if keys != self._keys.get(issuer):
                self._keys[issuer] = keys
                await self._changed()
            asked.set()
            wait = _FIRST_WAIT
            await self._sleep(_KEYS_STAY)
