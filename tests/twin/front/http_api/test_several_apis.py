"""Several HTTP APIs on one gateway, each with its own name, stages, CORS, throttling, access log and counts."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.twin.front.http_api.conftest import ApiInHand, listing
from tests.twin.running import RunningTwin, admin_text, wait_until

PREFLIGHT = {"access-control-request-method": "GET"}


class Second:
    """Another API before the same service, at the stage `prod`."""

    def __init__(self, api: ApiInHand) -> None:
        self.calls = api.calls
        cors = {"AllowOrigins": ["https://second.example"], "AllowMethods": ["GET"]}
        made = self.calls.create_api(Name="second", ProtocolType="HTTP", CorsConfiguration=cors)
        self.id, self.url = made["ApiId"], made["ApiEndpoint"]
        kept = ("IntegrationType", "IntegrationMethod", "IntegrationUri", "ConnectionType", "ConnectionId")
        given = {name: api.integration[name] for name in (*kept, "PayloadFormatVersion")}
        integration = self.calls.create_integration(
            ApiId=self.id, **given, RequestParameters={"overwrite:path": "/second$request.path"}
        )
        target = f"integrations/{integration['IntegrationId']}"
        for key in ("GET /orders", "GET /orders/{id}"):
            self.calls.create_route(ApiId=self.id, RouteKey=key, Target=target)
        log = {"DestinationArn": "arn:aws:logs:eu-west-2:123456789012:log-group:second", "Format": LOG}
        self.calls.create_stage(ApiId=self.id, StageName="prod", AutoDeploy=True, AccessLogSettings=log)


LOG = '{"api":"$context.apiId","stage":"$context.stage","path":"$context.path","status":"$context.status"}'


@pytest.fixture(scope="module")
def second(api: ApiInHand) -> Iterator[Second]:
    made = Second(api)
    wait_until(lambda: status(f"{made.url}/prod/orders") == 200, "the second API is served")
    yield made
    made.calls.delete_api(ApiId=made.id)


def status(url: str, **headers: str) -> int:
    """0 where nobody listens."""
    try:
        return httpx.get(url, headers=headers).status_code
    except httpx.TransportError:
        return 0


def test_each_has_its_own_address_and_the_first_is_the_gateways(api: ApiInHand, second: Second) -> None:
    endpoints = {item["ApiId"]: item["ApiEndpoint"] for item in api.calls.get_apis()["Items"]}

    assert endpoints == {api.id: api.twin.gateway_url, second.id: second.url}
    assert api.calls.get_api(ApiId=second.id)["ApiEndpoint"] == second.url
    assert httpx.get(f"{second.url}/prod/orders/7?a=1").json()["path"] == "/second/orders/7?a=1"
    assert status(f"{second.url}/hostname") == 404
    assert api.client.get("/hostname").json()["path"] == "/hostname"
    assert api.client.get("/prod/orders").status_code == 404
    told = listing(api.twin)
    assert f"{api.twin.gateway_url}  API " in told
    assert f"{second.url}  API second ({second.id})" in told


@pytest.mark.parametrize("domain", ["localhost", "eu-west-2.amazonaws.com"])
@pytest.mark.parametrize("port", ["", ":8000"])
def test_each_has_its_own_names(api: ApiInHand, second: Second, domain: str, port: str) -> None:
    first, other = (f"{identifier}.execute-api.{domain}{port}" for identifier in (api.id, second.id))

    assert api.client.get("/prod/orders", headers={"host": other}).json()["path"] == "/second/orders"
    assert api.client.get("/hostname", headers={"host": first}).json()["path"] == "/hostname"
    assert api.client.get("/hostname", headers={"host": f"other.execute-api.{domain}"}).status_code == 403


def test_curl_finds_a_name_below_localhost_by_itself(api: ApiInHand, second: Second) -> None:
    port = httpx.URL(api.twin.gateway_url).port
    command = ["curl", "-sS", f"http://{second.id}.execute-api.localhost:{port}/prod/orders"]

    assert json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["path"] == "/second/orders"


@pytest.mark.parametrize("path", ["/prod/orders", "/prod/nowhere", "/nowhere"])
def test_each_has_its_own_cors(api: ApiInHand, second: Second, path: str) -> None:
    def preflight(url: str, origin: str) -> Any:
        answer = httpx.options(f"{url}{path}", headers={**PREFLIGHT, "origin": origin})
        return answer.status_code, answer.headers.get("access-control-allow-origin")

    assert preflight(second.url, "https://second.example") == (204, "https://second.example")
    assert preflight(second.url, "https://first.example") == (204, None)
    assert preflight(api.twin.gateway_url, "https://second.example")[0] != 204


def test_each_has_its_own_access_log_and_counts(api: ApiInHand, second: Second) -> None:
    log = api.twin.state / "gateway" / "access.log"
    assert status(f"{second.url}/prod/logged") == 404
    assert api.client.get("/hostname?logged").status_code == 200
    line = {"api": second.id, "stage": "prod", "path": "/prod/logged", "status": "404"}

    def lines() -> list[Any]:
        return [each for each in map(as_json, log.read_text().splitlines()) if each.get("api") == second.id]

    wait_until(lambda: line in lines(), "the line is there")
    assert all(each["stage"] == "prod" for each in lines())
    counted = admin_text(api.twin.state / "gateway", "/stats?filter=^answers")
    assert f"answers.total.api.{second.id}.stage.prod.status.404: " in counted
    assert f"answers.total.api.{api.id}.stage.$default.status.200: " in counted


def as_json(line: str) -> dict[str, Any]:
    try:
        return dict(json.loads(line))
    except ValueError:
        return {}


def test_each_has_its_own_throttling(api: ApiInHand, second: Second) -> None:
    settings = {"ThrottlingRateLimit": 0.1, "ThrottlingBurstLimit": 2}
    second.calls.update_stage(ApiId=second.id, StageName="prod", DefaultRouteSettings=settings)

    wait_until(lambda: 429 in [status(f"{second.url}/prod/orders/1") for _ in range(4)], "the second is throttled")
    assert {api.client.get("/hostname").status_code for _ in range(10)} == {200}
    settings = {"ThrottlingRateLimit": 1000, "ThrottlingBurstLimit": 500}
    second.calls.update_stage(ApiId=second.id, StageName="prod", DefaultRouteSettings=settings)
    wait_until(lambda: status(f"{second.url}/prod/orders/1") == 200, "it is no longer")


def test_custom_domain_names(api: ApiInHand, second: Second) -> None:
    certificate = {"CertificateArn": "arn:aws:acm:eu-west-2:123456789012:certificate/c", "EndpointType": "REGIONAL"}
    api.calls.create_domain_name(DomainName="Shop.example", DomainNameConfigurations=[certificate])
    made = [
        api.calls.create_api_mapping(DomainName="Shop.example", ApiId=of, Stage=stage, ApiMappingKey=key)
        for of, stage, key in ((api.id, "$default", ""), (second.id, "prod", "v1/second"))
    ]

    def ask(path: str) -> httpx.Response:
        return api.client.get(path, headers={"host": "shop.example"})

    wait_until(lambda: ask("/v1/second/orders").status_code == 200, "the domain name is served")
    assert ask("/v1/second/orders/7").json()["path"] == "/second/orders/7"
    assert ask("/hostname").json()["path"] == "/hostname"
    assert ask("/v1/second/nowhere").status_code == 404
    for mapping in made:
        api.calls.delete_api_mapping(DomainName="Shop.example", ApiMappingId=mapping["ApiMappingId"])
    api.calls.delete_domain_name(DomainName="Shop.example")
    wait_until(lambda: ask("/hostname").status_code == 403, "it is gone")


def test_the_next_api_is_in_the_place_of_the_first_when_that_goes(
    start_twin: Callable[..., RunningTwin],
) -> None:
    twin = start_twin("--empty", wait=False)
    assert twin.process.stdout is not None
    assert "nothing is deployed" in twin.process.stdout.readline()
    calls = twin.client("apigatewayv2")
    first, second = (calls.create_api(Name=name, ProtocolType="HTTP") for name in ("first", "second"))

    def preflight(url: str) -> int:
        headers = {**PREFLIGHT, "origin": "https://a.example"}
        try:
            return httpx.options(url, headers=headers).status_code
        except httpx.TransportError:
            return 0

    calls.update_api(ApiId=second["ApiId"], CorsConfiguration={"AllowOrigins": ["*"]})
    wait_until(lambda: preflight(second["ApiEndpoint"]) == 204, "the second is served")
    assert (first["ApiEndpoint"], preflight(first["ApiEndpoint"])) == (twin.gateway_url, 404)
    calls.delete_api(ApiId=first["ApiId"])

    wait_until(lambda: preflight(twin.gateway_url) == 204, "it is in the first's place")
    assert preflight(second["ApiEndpoint"]) == 204
    assert calls.get_api(ApiId=second["ApiId"])["ApiEndpoint"] == second["ApiEndpoint"]
