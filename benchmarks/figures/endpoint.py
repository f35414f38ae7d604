"""The twin's AWS endpoint: what checking signatures costs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial
from http.client import HTTPConnection
from typing import Any
from unittest import mock

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Keys

from benchmarks.figure import Figure, measure
from benchmarks.processes import Failed
from twin.aws.api_urls import ApiUrls
from twin.aws.authentication import Authentication
from twin.aws.endpoint import Endpoint
from twin.aws.moto.registry import Registry
from twin.credentials import Credentials
from twin.machine.addresses import Address, LoopbackAddresses, free_port

ACCOUNT, REGION = "123456789012", "eu-west-2"
TURN = 25  # requests
TURNS = 40


def signatures() -> Iterator[Figure]:
    """One endpoint in this process, one client that sends the same signed DiscoverInstances again and again.

    So signing is in neither side. The check is taken out and put back for each turn.
    """
    credentials = Credentials.new()
    address = Address("127.0.0.1", free_port())
    addresses = LoopbackAddresses()
    urls = ApiUrls(address, addresses)
    endpoint = Endpoint(address, account=ACCOUNT, region=REGION, api_urls=urls, credentials=credentials)
    registry = Registry(ACCOUNT, REGION)
    service, _ = registry.create_service(registry.create_namespace("shop"), "shop")
    for number in range(3):
        registry.register(service, f"task-{number}", Address(f"127.0.0.{number + 2}", 8080), {})
    endpoint.start()
    try:
        request = _signed(endpoint.url, credentials)
        checked, unchecked = partial(_rate, address, request), partial(_rate_unchecked, address, request)
        found = measure({"with": checked, "without": unchecked}, turns=TURNS)
    finally:
        endpoint.stop()
        addresses.close()
    yield Figure(
        "signatures",
        "signed calls to the AWS endpoint",
        "with no signature checked",
        "requests/s of a core",
        "more",
        tuple(found["with"]),
        tuple(found["without"]),
    )


def _signed(url: str, credentials: Credentials) -> Any:
    body = json.dumps({"NamespaceName": "shop", "ServiceName": "shop"}).encode()
    target = {
        "X-Amz-Target": "Route53AutoNaming_v20170314.DiscoverInstances",
        "Content-Type": "application/x-amz-json-1.1",
    }
    request = AWSRequest("POST", url + "/", target, body)
    SigV4Auth(Keys(credentials.access_key, credentials.secret_key), "servicediscovery", REGION).add_auth(request)
    return request


def _rate(address: Address, request: Any) -> float:
    """Requests a second of this process's time of the processor, the client's part included."""
    connection = HTTPConnection(address.host, address.port)
    began = time.process_time()
    for _ in range(TURN):
        connection.request("POST", "/", request.data, dict(request.headers.items()))
        answer = connection.getresponse().read()
        if len(json.loads(answer).get("Instances", ())) != 3:
            raise Failed(f"DiscoverInstances: {answer[:200]!r}")
    used = time.process_time() - began
    connection.close()
    return TURN / used


def _rate_unchecked(address: Address, request: Any) -> float:
    with mock.patch.object(Authentication, "refusal", return_value=None):
        return _rate(address, request)
