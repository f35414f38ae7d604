"""The twin's control path: faults that no AWS API can make, and parameters."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from lab.errors import BadInput, Missing
from lab.records.run import Accident
from lab.runner.target import Target, twin_credentials

_NO_MATTER = 1.0  # seconds for which another kind of fault holds each request
_TIMEOUT = 60.0  # seconds: a change of parameters waits until the gateway has it


class TwinControl:
    """The control path of the twin that *target* is, under its AWS endpoint.

    Every method raises Missing where the twin does not answer, and BadInput with its reason where it refuses.
    """

    def __init__(self, target: Target) -> None:
        self._url = f"{target.aws_endpoint_url}/_twin"
        self._token = twin_credentials(target.aws_endpoint_url, target.file).token

    @contextlib.contextmanager
    def fault(self, kind: str, target: str | None, seconds: float | None) -> Iterator[None]:
        """Make a fault at a task (id) or zone; one that lasts ends after *seconds*, or with the context before."""
        self._ask("fault", {"kind": kind, "target": target, "seconds": seconds, "delay": _NO_MATTER})
        try:
            yield
        finally:
            if seconds is not None:
                with contextlib.suppress(BadInput):  # it has ended by itself
                    self._ask("undo", {"kind": kind, "target": target})

    def accidents(self) -> list[Accident]:
        """What the twin itself has lost: the last thousand, the oldest first."""
        return [Accident(**entry) for entry in self._ask("accidents", {})["accidents"]]

    def parameters(self) -> dict[str, Any]:
        """All parameters as they are now, by name."""
        return self.set({})

    def age(self, seconds: float) -> None:
        """Let the gateway's answer of Cloud Map be so many seconds old."""
        self._ask("age", {"seconds": seconds})

    def set(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Change parameters; all of them as they are then."""
        return self._ask("set", {"assignments": in_words(values).split()})

    def _ask(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        try:
            headers = {"authorization": f"Bearer {self._token}"}
            answer = httpx.post(
                f"{self._url}/{operation}", json=request, headers=headers, timeout=_TIMEOUT, trust_env=False
            )
            content = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Missing(f"The twin at {self._url} does not answer ({error}): is it up?") from None
        if not answer.is_success:
            raise BadInput(f"The twin refuses: {content.get('message')}")
        return dict(content)


def in_words(values: Mapping[str, Any]) -> str:
    """Parameters as `twin set` takes them."""
    flags = {True: "on", False: "off"}
    return " ".join(
        f"{name}={flags[value] if isinstance(value, bool) else f'{value:g}' if isinstance(value, float) else value}"
        for name, value in values.items()
    )
