"""Who answers: the host name, and what ECS tells a task about itself."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

METADATA_VARIABLE = "ECS_CONTAINER_METADATA_URI_V4"
METADATA_TIMEOUT_S = 2.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """One task of the service, or one process of it outside ECS: then what only ECS knows is None."""

    hostname: str
    started_at: str
    version: str
    task_arn: str | None = None
    availability_zone: str | None = None
    family: str | None = None
    revision: str | None = None

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """What every answer carries; an availability zone that is not known is an empty value."""
        return [
            (b"x-hostname", self.hostname.encode("ascii")),
            (b"x-availability-zone", (self.availability_zone or "").encode("ascii")),
        ]


def read_identity(hostname: str, environ: Mapping[str, str]) -> Identity:
    """Ask the ECS task metadata endpoint, if `environ` names one, and put its answer beside `hostname`.

    Blocks, so it belongs before the server's loop; a silent endpoint is waited for METADATA_TIMEOUT_S. A failure is
    logged and is no error: the service serves as well without.

    Fields: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-response.html
    """
    task: Mapping[str, Any] = {}
    if uri := environ.get(METADATA_VARIABLE):
        try:
            task = _fetch_task(uri)
        except (OSError, ValueError, HTTPException) as error:
            logger.warning("No task metadata from %s/task: %s", uri, error)
    return Identity(
        hostname=hostname,
        started_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        version=_version(environ),
        task_arn=_text(task, "TaskARN"),
        availability_zone=_text(task, "AvailabilityZone"),
        family=_text(task, "Family"),
        revision=_text(task, "Revision"),
    )


def _fetch_task(uri: str) -> dict[str, Any]:
    # The endpoint is link-local: a proxy that is set for the way out would not find it.
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(f"{uri}/task", timeout=METADATA_TIMEOUT_S) as response:
            task = json.load(response)
    except HTTPError as error:
        error.close()  # it holds the connection
        raise
    if not isinstance(task, dict):
        raise ValueError("the answer is not a JSON object")
    return task


def _text(task: Mapping[str, Any], field: str) -> str | None:
    """A field that is fit for a header, or None."""
    value = task.get(field)
    return value if isinstance(value, str) and value.isascii() and value.isprintable() else None


def _version(environ: Mapping[str, str]) -> str:
    # The image holds the package's files without its metadata, so it is told its version.
    try:
        return installed_version("serviceconnect")
    except PackageNotFoundError:
        return environ.get("APP_VERSION") or "unknown"
