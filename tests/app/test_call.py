"""`/call`: a service that calls another one, which is a process, a server that misbehaves, or nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.call import MAX_ANSWER_BYTES, MAX_CALLS
from tests.app.conftest import IDENTITY

if TYPE_CHECKING:
    from tests.app.conftest import ClientFactory, Service, ServiceStarter

Misbehave = Callable[[bytes], str]


@pytest.fixture
def upstream(start_service: ServiceStarter) -> Service:
    """The service that is called."""
    return start_service(HOSTNAME="upstream-1")


@pytest.fixture
def misbehaving() -> Iterator[Misbehave]:
    """A factory of servers that give each connection some bytes, and close it; with none they never answer."""
    servers: list[socket.socket] = []
    held: list[socket.socket] = []

    def serve(server: socket.socket, answer: bytes) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connection.recv(65_536)
            if answer:
                connection.sendall(answer)
                connection.close()
            else:
                held.append(connection)

    def make(answer: bytes) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)
        threading.Thread(target=serve, args=(server, answer), daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}"

    yield make
    for server in servers:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
    for connection in held:
        connection.close()


def test_both_hosts_are_named(client_for: ClientFactory, upstream: Service) -> None:
    answer = client_for(upstreams={"orders": upstream.url}).get("/call", params={"service": "orders"})
    assert answer.status_code == 200
    assert answer.headers["x-upstream-hostname"] == "upstream-1"
    body = answer.json()
    assert (body["hostname"], body["service"], body["path"]) == (IDENTITY.hostname, "orders", "/hostname")
    (call,) = body["calls"]
    assert (call["hostname"], call["status"], call["error"]) == ("upstream-1", 200, None)
    assert call["duration_ms"] > 0


def test_its_own_host_is_in_the_header_of_every_answer(start_service: ServiceStarter, upstream: Service) -> None:
    service = start_service(HOSTNAME="caller-1", UPSTREAMS=f"orders={upstream.url}")
    answer = httpx.get(f"{service.url}/call?service=orders", verify=False)
    assert (answer.headers["x-hostname"], answer.headers["x-upstream-hostname"]) == ("caller-1", "upstream-1")


def test_several_at_once(client_for: ClientFactory, upstream: Service) -> None:
    answer = client_for(upstreams={"orders": upstream.url}).get("/call?service=orders&times=3")
    assert answer.headers["x-upstream-hostname"] == "upstream-1, upstream-1, upstream-1"
    assert [call["status"] for call in answer.json()["calls"]] == [200, 200, 200]


def test_a_status_below_500_is_an_answer(client_for: ClientFactory, upstream: Service) -> None:
    answer = client_for(upstreams={"orders": upstream.url}).get("/call?service=orders&path=/nothing")
    assert answer.status_code == 200
    assert answer.json()["calls"][0]["status"] == 404


@pytest.mark.parametrize(("reuse", "connections"), [("on", 1), ("off", 3)])
def test_reuse_of_connections(client_for: ClientFactory, reuse: str, connections: int) -> None:
    accepted = 0

    def serve(server: socket.socket) -> None:
        nonlocal accepted
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            accepted += 1
            with connection:
                while connection.recv(65_536):
                    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        client = client_for(upstreams={"orders": f"http://127.0.0.1:{server.getsockname()[1]}"})
        for _ in range(3):
            assert client.get(f"/call?service=orders&reuse={reuse}").status_code == 200
        assert accepted == connections
        server.shutdown(socket.SHUT_RDWR)


def test_the_time_is_passed_on(client_for: ClientFactory) -> None:
    asked: list[bytes] = []

    def serve(server: socket.socket) -> None:
        for _ in range(2):
            connection, _ = server.accept()
            asked.append(connection.recv(65_536))
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,), daemon=True)
        thread.start()
        client = client_for(upstreams={"orders": f"http://127.0.0.1:{server.getsockname()[1]}"})
        client.get("/call?service=orders&timeout_ms=2500")
        client.get("/call?service=orders&timeout_ms=2500", headers={"x-timeout-ms": "900"})
        thread.join()
    assert b"x-timeout-ms: 2500\r\n" in asked[0]
    assert b"x-timeout-ms: 900\r\n" in asked[1]


def _closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_connection_that_is_refused(client_for: ClientFactory) -> None:
    answer = client_for(upstreams={"orders": _closed_port()}).get("/call?service=orders")
    assert answer.status_code == 502
    assert answer.headers["x-upstream-hostname"] == ""
    assert answer.json()["error"].startswith("orders: ConnectError: ")
    assert answer.json()["calls"][0]["status"] is None


@pytest.mark.parametrize(
    ("bytes_sent", "status", "error"),
    [
        (b"", 504, "no answer within 0.300 s"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", 502, "RemoteProtocolError: peer closed connection"),
        (b"nonsense\r\n\r\n", 502, "RemoteProtocolError: "),
        (
            b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 19\r\n\r\nno healthy upstream",
            502,
            "it answered 503: no healthy upstream",
        ),
        (b"HTTP/1.1 504 Gateway Timeout\r\ncontent-length: 4\r\n\r\nlate", 504, "it answered 504: late"),
        (
            b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * (MAX_ANSWER_BYTES + 1),
            502,
            f"the answer is longer than {MAX_ANSWER_BYTES} bytes",
        ),
        (b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", 200, None),
    ],
)
def test_an_upstream_that_misbehaves(
    client_for: ClientFactory, misbehaving: Misbehave, bytes_sent: bytes, status: int, error: str | None
) -> None:
    answer = client_for(upstreams={"orders": misbehaving(bytes_sent)}).get("/call?service=orders&timeout_ms=300")
    assert answer.status_code == status
    (call,) = answer.json()["calls"]
    assert (call["error"] or "").startswith(error or "")
    assert ("error" in answer.json()) == (error is not None)


def test_one_that_fails_fails_all_and_each_is_told(client_for: ClientFactory) -> None:
    """One of two connections is closed without an answer."""

    def serve(server: socket.socket) -> None:
        connections = [server.accept()[0] for _ in range(2)]
        for connection, answer in zip(connections, (b"HTTP/1.1 200 OK\r\nx-hostname: a\r\n\r\n", b""), strict=True):
            connection.recv(65_536)
            connection.sendall(answer)
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        answer = client_for(upstreams={"orders": f"http://127.0.0.1:{server.getsockname()[1]}"}).get(
            "/call?service=orders&times=2"
        )
    assert answer.status_code == 502
    assert answer.headers["x-upstream-hostname"] == "a"
    assert sorted(str(call["status"]) for call in answer.json()["calls"]) == ["200", "None"]
    assert answer.json()["error"].startswith("orders: RemoteProtocolError: ")


@pytest.mark.parametrize(
    "name",
    ["ört".encode(), "中".encode(), b"a, b", b"a" * 254, b"<script>", b"", b"\xff\xfe"],
)
def test_a_name_that_is_none_goes_no_further(client_for: ClientFactory, misbehaving: Misbehave, name: bytes) -> None:
    sent = b"HTTP/1.1 200 OK\r\nx-hostname: %b\r\nx-availability-zone: %b\r\ncontent-length: 0\r\n\r\n" % (name, name)
    answer = client_for(upstreams={"orders": misbehaving(sent)}).get("/call?service=orders")
    assert answer.status_code == 200
    assert answer.headers["x-upstream-hostname"] == answer.headers["x-upstream-availability-zone"] == ""
    (call,) = answer.json()["calls"]
    assert (call["hostname"], call["availability_zone"]) == ("", "")


def test_an_answer_leaves_nothing_behind(client_for: ClientFactory) -> None:
    asked: list[bytes] = []

    def serve(server: socket.socket) -> None:
        for _ in range(2):
            connection, _ = server.accept()
            asked.append(connection.recv(65_536))
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nset-cookie: a=b; path=/\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            )
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,), daemon=True)
        thread.start()
        client = client_for(upstreams={"orders": f"http://127.0.0.1:{server.getsockname()[1]}"})
        for _ in range(2):
            assert client.get("/call?service=orders").status_code == 200
        thread.join()
    assert b"cookie" not in asked[1].lower()


def test_services_that_call_each_other_multiply_no_calls(start_service: ServiceStarter) -> None:
    """Each `times` and those before make MAX_CALLS at most, however deep a path leads."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    service = start_service(PORT=str(port), HOSTNAME="itself", UPSTREAMS=f"self=http://127.0.0.1:{port}")

    def call(times: int, *deeper: int) -> httpx.Response:
        path = "/hostname"
        for number in reversed(deeper):
            path = str(httpx.URL("/call", params={"service": "self", "times": number, "path": path}))
        return httpx.get(f"{service.url}/call", params={"service": "self", "times": times, "path": path})

    assert call(5, 2).json()["calls"][0]["status"] == 200
    assert {each["status"] for each in call(5, 3).json()["calls"]} == {400}
    assert {each["status"] for each in call(10, 10, 10).json()["calls"]} == {400}


@pytest.fixture
def of_nobody(client_for: ClientFactory) -> httpx.Client:
    """A client of an application whose upstream does not listen."""
    return client_for(upstreams={"orders": _closed_port()})


_BYTES = st.binary(max_size=300)
_FIELD = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=60)
_SOME = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(query=st.dictionaries(st.sampled_from(["service", "path", "times", "reuse", "timeout_ms", "x"]), st.text()))
@example(query={"service": "orders", "path": "/%"})
@example(query={"service": "orders", "path": "/%zz?%"})
@example(query={"service": "orders", "path": "/" + "%" * 1000})
@example(query={"service": "orders", "path": "/?" + "&" * 1000})
@example(query={"service": "orders", "path": "/../../x"})
@example(query={"service": "orders", "path": "/:80@b:c"})
@_SOME
def test_whatever_is_asked_for_there_is_an_answer_in_json(of_nobody: httpx.Client, query: dict[str, str]) -> None:
    given = {"service": "orders", "timeout_ms": "300", **query}
    answer = of_nobody.get("/call", params=given)
    assert answer.status_code in (400, 502, 504)
    assert answer.json()["error"]


@given(timeout=_FIELD, calls=_FIELD)
@example(timeout="0", calls="1")
@example(timeout="00000000000000000000001", calls="10")
@_SOME
def test_whatever_its_headers_say(of_nobody: httpx.Client, timeout: str, calls: str) -> None:
    headers = {b"x-timeout-ms": timeout.encode("latin-1"), b"x-calls": calls.encode("latin-1")}
    answer = of_nobody.get("/call?service=orders", headers=headers)
    assert answer.status_code in (400, 502, 504)
    assert answer.json()["error"]


@given(status=st.integers(0, 1_200), name=_BYTES, body=_BYTES)
@_SOME
def test_whatever_an_upstream_sends(
    client_for: ClientFactory, misbehaving: Misbehave, status: int, name: bytes, body: bytes
) -> None:
    sent = b"HTTP/1.1 %d x\r\nx-hostname: %b\r\nconnection: close\r\n\r\n%b" % (status, name, body)
    answer = client_for(upstreams={"orders": misbehaving(sent)}).get("/call?service=orders&timeout_ms=300")
    assert answer.status_code in (200, 502, 504)
    assert answer.json()["calls"]


def test_without_upstreams_there_is_no_such_route(client_for: ClientFactory) -> None:
    assert client_for().get("/call?service=orders").status_code == 404


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "service is missing: it must be one of orders."),
        ("service=169.254.170.2", "service is '169.254.170.2': it must be one of orders."),
        ("service=http://example.com", "service is 'http://example.com': it must be one of orders."),
        ("service=orders&path=hostname", "path is 'hostname': it must begin with one slash"),
        ("service=orders&path=//example.com/", "path is '//example.com/': it must begin with one slash"),
        ("service=orders&path=@example.com/", "path is '@example.com/': it must begin with one slash"),
        ("service=orders&path=/a%0d%0ax-b:c", "path is '/a\\r\\nx-b:c': it must begin with one slash"),
        ("service=orders&times=0", "times is '0': it must be a whole number from 1 to 10."),
        (f"service=orders&times={MAX_CALLS + 1}", "times is '11': it must be a whole number from 1 to 10."),
        ("service=orders&timeout_ms=29001", "timeout_ms is '29001': it must be a whole number from 1 to 29000."),
        ("service=orders&reuse=maybe", "reuse is 'maybe': it must be one of on, off."),
    ],
)
def test_what_cannot_be_called(client_for: ClientFactory, query: str, sentence: str) -> None:
    answer = client_for(upstreams={"orders": _closed_port()}).get(f"/call?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(sentence)


def test_an_encoded_query_reaches_the_upstream(client_for: ClientFactory, upstream: Service) -> None:
    client = client_for(upstreams={"orders": upstream.url})
    answer = client.get("/call", params={"service": "orders", "path": "/payload?bytes=1000"})
    assert answer.json()["calls"][0]["status"] == 200
    late = client.get("/call", params={"service": "orders", "path": "/hostname?delay_ms=5000", "timeout_ms": 300})
    assert late.status_code == 504
