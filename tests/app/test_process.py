"""The service as a process, started by the Dockerfile's CMD."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from app.identity import METADATA_VARIABLE
from app.service import MAX_PAYLOAD_BYTES

if TYPE_CHECKING:
    from tests.app.conftest import MetadataEndpoint, Service, ServiceStarter

GARBAGE = b"this is not HTTP\r\n\r\n"
WEBSOCKET = (
    b"GET /hostname HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def read_to_end(connection: socket.socket) -> bytes:
    with connection:
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def wait_until_draining(service: Service) -> None:
    """Return once `/ready` says 503; every try is a new connection."""
    while httpx.get(f"{service.url}/ready").status_code != 503:
        assert service.process.poll() is None


def test_clients_that_close_their_half_or_speak_http_2_are_answered(start_service: ServiceStarter) -> None:
    service = start_service(HOSTNAME="host-1")
    with service.open("/hostname?delay_ms=100") as connection:  # elasticsearch issue 11466
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
    for option in ("--http2", "--http2-prior-knowledge"):  # hypercorn issues 317, 318
        command = ["curl", "-sS", option, "-w", "%{stderr}%{http_version} %{http_code}", f"{service.url}/hostname"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert (done.stdout.strip(), done.stderr) == ("host-1", "2 200")

    service.signal()
    code, _, err = service.end()
    assert (code, "Traceback" in err) == (0, False)


def test_every_answer_carries_the_headers(start_service: ServiceStarter, metadata: MetadataEndpoint) -> None:
    uri = metadata.says(AvailabilityZone="eu-west-2b", Family="serviceconnect", Revision="3", TaskARN="arn:aws:ecs:x")
    service = start_service(HOSTNAME="host-1", **{METADATA_VARIABLE: uri})
    asked = {
        ("GET", "/hostname"): 200,
        ("HEAD", "/ready"): 200,
        ("GET", "/identity"): 200,
        ("GET", "/payload?bytes=70000"): 200,
        ("GET", "/payload?bytes=x"): 400,
        ("GET", "/nothing"): 404,
        ("POST", "/hostname"): 405,
    }
    with httpx.Client(base_url=service.url) as client:
        for (method, path), status in asked.items():
            answer = client.request(method, path)
            assert answer.status_code == status
            assert answer.headers["x-hostname"] == "host-1"
            assert answer.headers["x-availability-zone"] == "eu-west-2b"
        assert client.get("/hostname").text == "host-1"
        assert client.get("/identity").json().items() >= {"family": "serviceconnect", "revision": "3"}.items()
    for request, status in [(GARBAGE, 400), (WEBSOCKET, 403)]:
        connection = socket.create_connection((service.host, service.port))
        connection.sendall(request)
        answer_bytes = read_to_end(connection)
        assert answer_bytes.startswith(f"HTTP/1.1 {status} ".encode())
        assert b"\r\nx-hostname: host-1\r\nx-availability-zone: eu-west-2b\r\n" in answer_bytes


def test_unknown_zone_is_an_empty_header(start_service: ServiceStarter) -> None:
    answer = httpx.get(f"{start_service().url}/hostname")
    assert answer.headers["x-hostname"] == answer.text == socket.gethostname()
    assert answer.headers["x-availability-zone"] == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_request_in_flight_is_finished(start_service: ServiceStarter, number: signal.Signals) -> None:
    service = start_service()
    in_flight = service.open("/hostname?delay_ms=1000")
    # The server takes connections in order: once a later one is answered, the first is being served.
    assert httpx.get(f"{service.url}/hostname").status_code == 200
    service.signal(number)
    assert read_to_end(in_flight).startswith(b"HTTP/1.1 200 ")
    assert service.end()[0] == 0


def test_download_in_flight_is_finished(start_service: ServiceStarter) -> None:
    service = start_service()
    download = service.open(f"/payload?bytes={MAX_PAYLOAD_BYTES}")
    first = download.recv(1)
    service.signal()
    head, _, body = (first + read_to_end(download)).partition(b"\r\n\r\n")
    assert f"content-length: {MAX_PAYLOAD_BYTES}".encode() in head
    assert len(body) == MAX_PAYLOAD_BYTES
    assert service.end()[0] == 0


def test_new_connections_are_served_while_draining(start_service: ServiceStarter) -> None:
    service = start_service(DRAIN_SECONDS="2")
    service.signal()
    wait_until_draining(service)
    assert httpx.get(f"{service.url}/hostname").status_code == 200
    assert httpx.get(f"{service.url}/ready").text == "draining"
    code, out, _ = service.end()
    assert code == 0
    assert [line["message"] for line in lines(out)][-2:] == ["draining", "stopped"]


def test_idle_connection_does_not_hold_the_exit(start_service: ServiceStarter) -> None:
    service = start_service()
    used = service.open("/hostname")
    assert used.recv(65_536).startswith(b"HTTP/1.1 200 ")
    unused = socket.create_connection((service.host, service.port))
    assert httpx.get(f"{service.url}/hostname").status_code == 200
    service.signal()
    assert service.end()[0] == 0
    read_to_end(used)
    read_to_end(unused)


def test_signal_before_the_server_runs(start_service: ServiceStarter, metadata: MetadataEndpoint) -> None:
    metadata.silent = True
    service = start_service(ready=False, **{METADATA_VARIABLE: metadata.uri})
    assert metadata.asked.wait(timeout=30)
    service.signal()
    assert service.end()[0] == 0


def test_wrong_settings(start_service: ServiceStarter) -> None:
    code, out, err = start_service(ready=False, PORT="http", DRAIN_SECONDS="-1").end()
    assert (code, out) == (2, "")
    assert err == (
        "The environment has to be corrected: PORT='http' is not a port number from 1 to 65535; "
        "DRAIN_SECONDS='-1' is not a number of seconds from 0 to 120.\n"
    )


def test_port_taken(start_service: ServiceStarter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        code, _, err = start_service(ready=False, PORT=port).end()
    assert code == 2
    assert re.fullmatch(rf"Cannot listen on HOST=127\.0\.0\.1 with PORT={port} \(.+\): set them to .+\.\n", err)


def test_logs_are_json_without_access_log(start_service: ServiceStarter) -> None:
    service = start_service()
    service.signal()
    code, out, err = service.end()
    assert (code, err) == (0, "")
    assert [line["logger"] for line in lines(out)] == ["app.server", "hypercorn.error", "app.server", "app.server"]
    assert lines(out)[0]["port"] == service.port


def test_access_log(start_service: ServiceStarter) -> None:
    service = start_service(ACCESS_LOG="on")
    httpx.get(f"{service.url}/hostname?delay_ms=x")
    service.signal()
    _, out, _ = service.end()
    (line,) = [line for line in lines(out) if line.get("path") == "/hostname"]
    assert line["logger"] == "hypercorn.access"
    assert (line["method"], line["query"], line["status"]) == ("GET", "delay_ms=x", 400)
    assert line["duration_ms"] >= 0
