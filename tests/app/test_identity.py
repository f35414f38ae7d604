from __future__ import annotations

import logging
import socket
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import pytest

from app import identity as module
from app.identity import METADATA_VARIABLE, Identity, read_identity

if TYPE_CHECKING:
    from tests.app.conftest import MetadataEndpoint

TASK = {
    "Cluster": "serviceconnect",
    "TaskARN": "arn:aws:ecs:eu-west-2:123456789012:task/serviceconnect/0123456789abcdef",
    "Family": "serviceconnect",
    "Revision": "7",
    "AvailabilityZone": "eu-west-2a",
}


def known_to_ecs(found: Identity) -> tuple[str | None, ...]:
    return found.task_arn, found.availability_zone, found.family, found.revision


def test_task_on_ecs(metadata: MetadataEndpoint) -> None:
    found = read_identity("host-1", {METADATA_VARIABLE: metadata.says(**TASK)})
    assert found.hostname == "host-1"
    assert known_to_ecs(found) == (TASK["TaskARN"], "eu-west-2a", "serviceconnect", "7")
    assert metadata.paths == ["/v4/0123456789abcdef/task"]


def test_outside_ecs(caplog: pytest.LogCaptureFixture) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    found = read_identity("host-1", {})
    assert known_to_ecs(found) == (None, None, None, None)
    assert before <= datetime.fromisoformat(found.started_at) <= datetime.now(UTC)
    assert caplog.records == []


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (500, b"{}", "HTTP Error 500"),
        (200, b"<html>", "Expecting value"),
        (200, b"\xff\xfe\x00", "decode"),
        (200, b"[]", "the answer is not a JSON object"),
    ],
)
def test_bad_answer_is_logged(
    metadata: MetadataEndpoint, caplog: pytest.LogCaptureFixture, status: int, body: bytes, reason: str
) -> None:
    metadata.status, metadata.body = status, body
    assert known_to_ecs(read_identity("host-1", {METADATA_VARIABLE: metadata.uri})) == (None, None, None, None)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"No task metadata from {metadata.uri}/task: " in record.getMessage()
    assert reason in record.getMessage()


def test_silent_endpoint_is_logged(
    metadata: MetadataEndpoint, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "METADATA_TIMEOUT_S", 0.05)
    metadata.silent = True
    assert read_identity("host-1", {METADATA_VARIABLE: metadata.uri}).task_arn is None
    assert "timed out" in caplog.text


def test_absent_endpoint_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    assert read_identity("host-1", {METADATA_VARIABLE: f"http://127.0.0.1:{port}"}).task_arn is None
    assert "refused" in caplog.text


def test_wrong_uri_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert read_identity("host-1", {METADATA_VARIABLE: "nonsense"}).task_arn is None
    assert "nonsense/task" in caplog.text


def test_proxy_is_not_asked(metadata: MetadataEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert read_identity("host-1", {METADATA_VARIABLE: metadata.says(**TASK)}).family == "serviceconnect"


@pytest.mark.parametrize("zone", [None, 1, "", "two\r\nlines", "ä"])
def test_zone_that_no_header_can_carry(metadata: MetadataEndpoint, zone: object) -> None:
    found = read_identity("host-1", {METADATA_VARIABLE: metadata.says(**TASK | {"AvailabilityZone": zone})})
    assert (found.availability_zone or None) is None
    assert found.family == "serviceconnect"


def test_headers(identity: Identity) -> None:
    assert identity.headers == [
        (b"x-hostname", b"ip-10-0-1-2.eu-west-2.compute.internal"),
        (b"x-availability-zone", b"eu-west-2a"),
    ]
    assert replace(identity, availability_zone=None).headers[1] == (b"x-availability-zone", b"")


def test_version_of_the_installed_package() -> None:
    assert read_identity("host-1", {"APP_VERSION": "9"}).version == version("serviceconnect")


@pytest.mark.parametrize(("environ", "expected"), [({"APP_VERSION": "9"}, "9"), ({}, "unknown")])
def test_version_in_the_image(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], expected: str) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(module, "installed_version", missing)
    assert read_identity("host-1", environ).version == expected
