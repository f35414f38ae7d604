"""The endpoint answers in JSON whatever comes in, and whatever goes wrong behind it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from moto.moto_api._internal.models import moto_api_backend

from tests.twin.aws.ecs.world import World
from tests.twin.running import CREDENTIALS, Signed, api_urls
from twin.aws.ecs.api import TARGET_PREFIX
from twin.aws.endpoint import Endpoint
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
