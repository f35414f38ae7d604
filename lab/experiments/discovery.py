"""Who is in Cloud Map, asked again and again in a thread of its own while an experiment runs."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from lab.experiments.aws import Aws
from lab.experiments.records import Discovered
from lab.experiments.target import Target

__all__ = ["Watch"]

_ON_THE_TWIN, _ON_AWS = 0.1, 1.0  # seconds between questions
_MOST = 1000  # DiscoverInstances gives no more


class Watch:
    """A context manager: `changes` has what DiscoverInstances told, one entry for each change."""

    def __init__(self, target: Target, aws: Aws) -> None:
        self.changes: list[Discovered] = []
        self._every = _ON_THE_TWIN if target.is_twin else _ON_AWS
        self._query = {"NamespaceName": target.namespace_name, "ServiceName": target.discovery_name}
        self._client: Any = aws.client("servicediscovery")
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="discovery", daemon=True)

    def __enter__(self) -> Self:
        if all(self._query.values()):
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(self._every):
            found = self._ask()
            if not self.changes or self.changes[-1].instances != found:
                self.changes.append(Discovered(time.time(), found))

    def _ask(self) -> tuple[str, ...] | None:
        try:
            answer = self._client.discover_instances(**self._query, MaxResults=_MOST, HealthStatus="ALL")
        except (BotoCoreError, ClientError):
            return None
        return tuple(sorted(instance["InstanceId"] for instance in answer["Instances"]))
