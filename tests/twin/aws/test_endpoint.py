"""The endpoint answers in JSON whatever comes in, and whatever goes wrong behind it."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from moto.moto_api._internal.models import moto_api_backend

from tests.twin.aws.ecs.world import World
from tests.twin.running import CREDENTIALS, Signed, api_urls
from twin.aws import server
from twin.aws.ecs.api import TARGET_PREFIX
from twin.aws.endpoint import Endpoint
from twin.aws.server import MOST_CONNECTIONS
from twin.errors import BadInput
from twin.machine.addresses import Address, free_port

Json = dict[str, Any]


class Behind:
    """What the endpoint asks."""

    def __init__(self) -> None:
        self.world = World()

    def ecs(self, operation: str, request: Any) -> Json:
        if operation == "ListClusters":
            raise KeyError("cluster")
        return self.world.call(operation, request)

    def control(self, operation: str, request: Any) -> Json:
        if operation == "broken":
            return {"value": dict[str, Json]()["assignments"]}
        raise BadInput(f"{operation} is refused.")


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest.fixture
def client(behind: Behind) -> Iterator[httpx.Client]:
    endpoint = Endpoint(
        Address("127.0.0.1", free_port()),
        api_urls=api_urls(),
        account="123456789012",
        region="eu-west-2",
        targets={TARGET_PREFIX: behind.ecs},
        credentials=CREDENTIALS,
        commands={"/_twin/": behind.control},
    )
    endpoint.start()
    with httpx.Client(base_url=endpoint.url, auth=Signed(CREDENTIALS)) as client:
        yield client
    endpoint.stop()
    # moto keeps its stores for the process, which other tests share.
    moto_api_backend.reset()


def ask_ecs(client: httpx.Client, operation: str, body: bytes = b"{}") -> tuple[int, Json]:
    answer = client.post("/", headers={"x-amz-target": f"{TARGET_PREFIX}.{operation}"}, content=body)
    return answer.status_code, answer.json()


def test_an_error_behind_the_endpoint_is_a_server_exception_and_a_line_in_the_log(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    answers = {"ListClusters": ask_ecs(client, "ListClusters")}
    answer = client.post("/_twin/broken", json={})
    answers["/_twin/broken"] = answer.status_code, answer.json()

    for status, content in answers.values():
        assert (status, content["__type"]) == (500, "ServerException")
        assert "KeyError" in content["message"]
    assert [record.getMessage() for record in caplog.records] == [f"the endpoint's {where} failed" for where in answers]


def test_what_is_refused_is_no_error(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    answer = client.post("/_twin/stop", json={})

    assert (answer.status_code, answer.json()) == (400, {"message": "stop is refused."})
    assert caplog.records == []


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b'{"a":' * 100_000])
def test_what_is_no_json_is_refused_as_that(
    client: httpx.Client, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    assert ask_ecs(client, "DescribeClusters", body)[1]["__type"] == "SerializationException"
    assert client.post("/_twin/set", content=body).status_code == 400
    assert caplog.records == []


CLOUD_MAP = {"x-amz-target": "Route53AutoNaming_v20170314.DiscoverInstances"}
ECR = "AmazonEC2ContainerRegistry_V20150921."
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("service", "path", "headers", "body", "status", "code"),
    [
        ("servicediscovery", "/", CLOUD_MAP, b"{", 400, "SerializationException"),
        ("servicediscovery", "/", CLOUD_MAP, b"[]", 400, "SerializationException"),
        ("servicediscovery", "/", CLOUD_MAP, b"[" * 100_000, 400, "SerializationException"),
        ("logs", "/", {"x-amz-target": "Logs_20140328.CreateLogGroup"}, b"\xff", 400, "SerializationException"),
        # moto itself fails at all of these.
        ("logs", "/", {"x-amz-target": "Logs_20140328.CreateLogGroup"}, b"{}", 400, "InvalidParameterException"),
        ("servicediscovery", "/", CLOUD_MAP, b"{}", 400, "InvalidInput"),
        ("ecr", "/", {"x-amz-target": ECR + "CreateRepository"}, b'{"repositoryName": 5}', 400, "InvalidParameterEx"),
        ("ecr", "/", {"x-amz-target": ECR + "PutRegistryScanningConfiguration"}, b"{}", 500, "InternalFailure"),
        ("elasticloadbalancing", "/", FORM, b"Action=CreateRule&Version=2015-12-01", 400, "ValidationError"),
        ("ec2", "/", FORM, b"Action=CreateSnapshots&Version=2016-11-15", 400, "MissingParameter"),
        ("sts", "/", FORM, b"Action=AssumeRole&Version=2011-06-15", 400, "ValidationError"),
        ("apigateway", "/v2/apis/x/nothing", {}, b"{}", 404, "NotFoundException"),
        ("lambda", "/2020-04-22/code-signing-configs/", {}, b"{}", 404, "NotFoundException"),
        ("xray", "/CreateGroup", {}, b"{}", 404, "NotFoundException"),
        ("route53", "/2013-04-01/trafficpolicy", {}, b"<a/>", 404, "NotFoundException"),
        ("apigateway", "/v2/apis", {}, b"{", 400, "SerializationException"),
        ("elasticloadbalancing", "/", FORM, b"Action=Nope&Version=2015-12-01", 400, "InvalidAction"),
    ],
)
def test_what_moto_cannot_read_is_an_error_as_aws_words_it(
    client: httpx.Client,
    caplog: pytest.LogCaptureFixture,
    service: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    status: int,
    code: str,
) -> None:
    answer = client.post(path, content=body, headers=headers, auth=Signed(CREDENTIALS, service))

    assert answer.status_code == status, answer.text
    if headers is FORM or service == "route53":
        assert f"<Code>{code}" in answer.text
        assert answer.headers["content-type"].startswith("text/xml")
    else:
        assert answer.json()["__type"].startswith(code)
        assert answer.json()["message"]
    assert len(caplog.records) == (status == 500)


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\r\n\r\n", b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
)
def test_what_is_no_request_of_http_is_answered_in_json(client: httpx.Client, sent: bytes) -> None:
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10) as connection:
        connection.sendall(sent)
        answer = connection.makefile("rb").read()

    assert json.loads(answer.rpartition(b"\r\n\r\n")[2])["message"]


def test_what_is_wrong_is_named(client: httpx.Client) -> None:
    """The first member that is missing or of another type, as far inside as it is."""

    def said(service: str, target: str, body: Json) -> str:
        headers = {"x-amz-target": target}
        answer = client.post("/", json=body, headers=headers, auth=Signed(CREDENTIALS, service))
        return str(answer.json()["message"])

    assert said("servicediscovery", CLOUD_MAP["x-amz-target"], {}) == "The request must contain NamespaceName."
    assert said("ecr", ECR + "CreateRepository", {"repositoryName": 5}) == "repositoryName must be a text, is 5."
    tags = {"repositoryName": ["a"], "tags": [{"Key": "a", "Value": "b"}, {"Key": "c"}]}
    assert said("ecr", ECR + "CreateRepository", tags) == 'repositoryName must be a text, is ["a"].'
    rules = {"scanType": "BASIC", "rules": [{"scanFrequency": "MANUAL"}]}
    assert said("ecr", ECR + "PutRegistryScanningConfiguration", rules).startswith(
        "The request must contain rules.0.rep"
    )


def connected(client: httpx.Client) -> socket.socket:
    return socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10)


def answer_to_head(client: httpx.Client, path: str, length: int, *headers: str) -> tuple[int, str]:
    """Status and message of what answers a request whose body does not come."""
    host = f"host: {client.base_url.host}:{client.base_url.port}"
    with connected(client) as connection:
        head = [f"POST {path} HTTP/1.1", host, f"content-length: {length}", *headers, "", ""]
        connection.sendall("\r\n".join(head).encode())
        answer = connection.makefile("rb").read()
    return int(answer.split()[1]), json.loads(answer.rpartition(b"\r\n\r\n")[2])["message"]


def authorization(key: str) -> tuple[str, str]:
    now = datetime.now(UTC)
    scope = f"{key}/{now:%Y%m%d}/eu-west-2/ecs/aws4_request"
    signed = f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
    return f"authorization: AWS4-HMAC-SHA256 Credential={scope}, {signed}", f"x-amz-date: {now:%Y%m%dT%H%M%SZ}"


QUERY = (
    "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=x/20260101/us-east-1/ecs/aws4_request&X-Amz-Date=1"
    "&X-Amz-Expires=1&X-Amz-SignedHeaders=host&X-Amz-Signature=0"
)


def test_no_body_is_read_before_the_key_is_known(client: httpx.Client) -> None:
    status, message = answer_to_head(client, "/", 300_000_000, *authorization("OTHER"))
    assert (status, message[:24]) == (403, "The access key OTHER is ")
    status, message = answer_to_head(client, f"/{QUERY}", 300_000_000)
    assert (status, message[:20]) == (403, "The access key x is ")
    old = authorization(CREDENTIALS.access_key)[0], "x-amz-date: 20200101T000000Z"
    assert answer_to_head(client, "/", 300_000_000, *old)[0] == 403


@pytest.mark.parametrize("page", [(), ("origin: http://evil.example", "sec-fetch-site: cross-site")])
def test_what_the_gateway_asks_is_answered_to_the_gateway_alone(client: httpx.Client, page: tuple[str, ...]) -> None:
    guessed = "twin-authorization: guessed"
    for headers in (page, (*page, guessed)):
        assert answer_to_head(client, f"/_twin/authorize/{QUERY}", 300_000_000, *headers)[0] == 403


def test_a_body_has_a_limit(client: httpx.Client) -> None:
    signed = authorization(CREDENTIALS.access_key)

    assert answer_to_head(client, "/", 70_167_212, *signed) == (
        413,
        "The request's body is larger than 70,167,211 bytes, the twin's limit: upload to S3 in parts.",
    )


def test_the_sentence_comes_though_the_body_is_sent(client: httpx.Client) -> None:
    answer = client.post("/", content=bytes(80_000_000), headers={"x-amz-target": f"{TARGET_PREFIX}.ListClusters"})

    assert answer.status_code == 413


def test_connections_that_say_nothing_keep_nobody_out(client: httpx.Client) -> None:
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connected(client)) for _ in range(MOST_CONNECTIONS + 20)]
        for connection in silent:
            connection.sendall(b"GET / HTTP/1.1\r\nx: ")
        assert ask_ecs(client, "DescribeClusters")[0] == 200

        assert [connection.recv(1) for connection in silent[:20]] == [b""] * 20
        silent[-1].sendall(b"y\r\n\r\n")
        assert silent[-1].recv(100).startswith(b"HTTP/1.1 403 ")


def test_a_connection_on_which_nothing_comes_is_closed(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server._Handler, "timeout", 0.01)
    with connected(client) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        assert connection.recv(1) == b""
