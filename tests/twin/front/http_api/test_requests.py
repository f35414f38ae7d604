"""What API Gateway makes of a request before and after a route has it: limits, malformed ones, headers, timeouts."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import httpx
import pytest

from tests.twin.front.http_api.conftest import ApiInHand, listing, twin_set
from tests.twin.running import RunningTwin, wait_until

TOO_LARGE = b'{"message":"Request Header Fields Too Large"}'


def exchange(twin: RunningTwin, sent: bytes) -> tuple[int, bytes, bytes]:
    """Status, headers and body of the answer to these bytes, on a connection of their own."""
    url = httpx.URL(twin.gateway_url)
    with socket.create_connection((url.host, url.port), timeout=10) as connection:
        connection.sendall(sent)
        answer = connection.makefile("rb").read()
    headers, _, body = answer.partition(b"\r\n\r\n")
    return int(answer.split()[1]), headers, body


@pytest.mark.parametrize("shape", ["header", "query", "many"])
def test_the_limit_of_request_line_and_header_values(twin: RunningTwin, shape: str) -> None:
    def ask(size: int) -> tuple[int, bytes, bytes]:
        """Of a request whose request line and header values, but for `connection`'s, have *size* bytes together."""
        headers = {"host": "localhost"}
        if shape == "many":
            headers |= {f"x-{number}": "abcd" for number in range(90)}
        counted = len("GET /hostname? HTTP/1.1") + sum(map(len, headers.values()))
        text = "a" * (size - counted)
        query = text if shape != "header" else ""
        if shape == "header":
            headers["x"] = text
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return exchange(twin, f"GET /hostname?{query} HTTP/1.1\r\n{lines}connection: close\r\n\r\n".encode())

    assert ask(10_240)[0] == 200
    status, headers, body = ask(10_241)
    assert (status, body) == (431, TOO_LARGE)
    assert b"\r\napigw-requestid: " in headers


@pytest.mark.parametrize(
    ("sent", "status", "message"),
    [
        (b"CONNECT example.com:443 HTTP/1.1\r\nhost: example.com:443\r\nconnection: close\r\n\r\n", 403, "Forbidden"),
        (b"CONNECT localhost:443 HTTP/1.1\r\nhost: localhost:443\r\nconnection: close\r\n\r\n", 403, "Forbidden"),
        (b"GET /hostname HTTP/1.1\r\nconnection: close\r\n\r\n", 400, "Bad Request"),
        (b"FETCH@ /hostname HTTP/1.1\r\nhost: localhost\r\n\r\n", 400, "Bad Request"),
        (b"GET /hostname HTTP/1.1\r\nhost: localhost\r\nno colon\r\n\r\n", 400, "Bad Request"),
        (b"POST /hostname HTTP/1.1\r\nhost: localhost\r\ncontent-length: x\r\n\r\n", 400, "Bad Request"),
    ],
)
def test_what_is_no_request_for_the_api_is_answered_in_json(
    twin: RunningTwin, sent: bytes, status: int, message: str
) -> None:
    code, headers, body = exchange(twin, sent)

    assert (code, json.loads(body)) == (status, {"message": message})
    assert b"content-type: application/json" in headers


def test_path_parameters_are_decoded(api: ApiInHand, twin: RunningTwin) -> None:
    api.add_route("GET /files/{name}")
    api.add_route("GET /named/{name}", api.add_integration(RequestParameters={"overwrite:path": "/$request.path.name"}))

    def seen(path: str) -> str:
        sent = f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        status, _, body = exchange(twin, sent.encode())
        return str(json.loads(body)["path"]) if status == 200 else f"{status}"

    api.until(lambda answer: answer.is_success, "GET", "/named/x")
    assert seen("/files/a%2Fb%41%20%25?x=%2F") == "/files/a/bA%20%25?x=%2F"
    assert seen("/named/a%2fb") == "/a/b"
    assert seen("/files/a/b") == "404"
    assert seen("/hostname?x=%2F%41") == "/hostname?x=%2F%41"


def test_forwarded_is_appended_to_what_the_client_sends(api: ApiInHand) -> None:
    seen = api.client.get("/hostname", headers={"forwarded": "for=1.2.3.4"}).json()["headers"]["forwarded"]

    first, second = seen.split(", ")
    assert first == "for=1.2.3.4"
    assert "for=127.0.0.1;" in second


def test_the_answer_to_an_integration_that_is_too_slow_is_a_parameter(api: ApiInHand, twin: RunningTwin) -> None:
    api.add_route("GET /slow-one", api.add_integration(TimeoutInMillis=150))
    api.until(lambda answer: answer.is_success, "GET", "/slow-one")
    twin_set(twin, "timeout-status=503")
    answer = api.until(lambda answer: answer.status_code == 503, "GET", "/slow-one?delay=1")
    assert answer.content == b'{"message":"Service Unavailable"}'
    twin_set(twin, "timeout-status=504")
    answer = api.until(lambda answer: answer.status_code == 504, "GET", "/slow-one?delay=1")
    assert answer.content == b'{"message":"Gateway Timeout"}'


def test_the_root_of_a_named_stage_needs_no_slash(api: ApiInHand) -> None:
    route = api.add_route("GET /")
    api.calls.create_stage(ApiId=api.id, StageName="prod", AutoDeploy=True)

    assert api.until(lambda answer: answer.is_success, "GET", "/prod").json()["path"] == "/"
    assert api.client.get("/prod/?a=1").json()["path"] == "/?a=1"
    assert api.client.get("/prod?a=1").json()["path"] == "/?a=1"
    api.calls.delete_stage(ApiId=api.id, StageName="prod")
    api.calls.delete_route(ApiId=api.id, RouteId=route)


def test_parameters_of_an_integration_that_are_ignored_are_told(api: ApiInHand, twin: RunningTwin) -> None:
    made = api.add_integration(IntegrationMethod="POST", TlsConfig={"ServerNameToVerify": "example.com"})
    route = api.add_route("GET /ignored", made)
    api.until(lambda answer: answer.is_success, "GET", "/ignored")
    told = listing(twin)

    assert f"integration {made}, method POST: the client's goes to the service" in told
    assert f"integration {made}, TLS: a load balancer's HTTPS is spoken unchecked; tasks are asked by HTTP" in told
    api.calls.delete_route(ApiId=api.id, RouteId=route)


def test_the_access_log_has_path_and_agent_as_they_were_sent_escaped_as_json(api: ApiInHand, twin: RunningTwin) -> None:
    fields = ("requestId", "path", "identity.userAgent", "status")
    whole = {name: f"$context.{name}" for name in fields}
    settings = {"DestinationArn": "arn:aws:logs:eu-west-2:123456789012:log-group:api", "Format": json.dumps(whole)}
    api.add_route(
        "GET /renamed/{name}", api.add_integration(RequestParameters={"overwrite:path": "/$request.path.name"})
    )
    api.calls.update_stage(ApiId=api.id, StageName="$default", AccessLogSettings=settings)
    log: Path = twin.state / "gateway" / "access.log"

    def logged(path: str, *headers: str) -> tuple[str, str, str]:
        lines = "".join(f"{header}\r\n" for header in ("host: localhost", "connection: close", *headers))
        request = f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")
        asked: set[str] = set()

        def line() -> dict[str, str] | None:
            # Of all that were asked: the log is written twice a second, and the first have the former format yet.
            answer = exchange(twin, request)[1].decode("latin-1")
            asked.add(answer.partition("apigw-requestid: ")[2].partition("\r\n")[0])
            found = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
            return next((line for line in found if line["requestId"] in asked and line.keys() == whole.keys()), None)

        _, *values = wait_until(line, "a line in the new format").values()
        return tuple(values)

    agent = 'a "quoted" \\ agent é'
    assert logged("/hostname?a=1", f"user-agent: {agent}") == ("/hostname", agent, "200")
    assert logged("/hostname", "user-agent: curl/8") == ("/hostname", "curl/8", "200")
    assert logged("/hostname", "x-envoy-original-path: /other") == ("/hostname", "-", "200")
    assert logged('/"here"', "user-agent: curl/8") == ('/"here"', "curl/8", "404")
    api.until(lambda answer: answer.is_success, "GET", "/renamed/x")
    assert logged("/renamed/7%2d8?a=1") == ("/renamed/7%2d8", "-", "200")


def test_an_integration_whose_service_had_no_instances_serves_as_soon_as_it_has(
    api: ApiInHand, twin: RunningTwin
) -> None:
    twin_set(twin, "discovery-ttl=600")
    cloud_map = twin.client("servicediscovery")
    (namespace,) = cloud_map.list_namespaces()["Namespaces"]
    service = cloud_map.create_service(Name="late", NamespaceId=namespace["Id"])["Service"]
    route = api.add_route("GET /late-one", api.add_integration(IntegrationUri=service["Arn"] + "?version=2"))
    api.until(lambda answer: answer.status_code == 503, "GET", "/late-one")
    (known, *_) = cloud_map.list_instances(ServiceId=api.integration["IntegrationUri"])["Instances"]

    where = {name: known["Attributes"][name] for name in ("AWS_INSTANCE_IPV4", "AWS_INSTANCE_PORT")}
    cloud_map.register_instance(ServiceId=service["Id"], InstanceId="old", Attributes={**where, "version": "1"})
    cloud_map.register_instance(ServiceId=service["Id"], InstanceId="new", Attributes={**where, "version": "2"})
    api.until(lambda answer: answer.is_success, "GET", "/late-one")

    # One of another version is not asked, and from now on the answer is cached.
    cloud_map.deregister_instance(ServiceId=service["Id"], InstanceId="new")
    assert api.client.get("/late-one").is_success
    twin_set(twin, "discovery-ttl=0")
    api.until(lambda answer: answer.status_code == 503, "GET", "/late-one")
    cloud_map.deregister_instance(ServiceId=service["Id"], InstanceId="old")
    cloud_map.delete_service(Id=service["Id"])
    api.calls.delete_route(ApiId=api.id, RouteId=route)
