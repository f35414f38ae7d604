"""The API is read in several calls, may change between two of them, and may have in it whatever moto takes."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twin.running import CREDENTIALS
from twin.aws.api_urls import ApiUrls
from twin.aws.client import Aws
from twin.events import ApiChanged, Events
from twin.front.http_api.gateway import Gateway
from twin.front.http_api.listener import listener
from twin.front.http_api.model import Api, ApiMapping
from twin.front.http_api.reading import read_apis
from twin.front.http_api.routes import hosts_of, table
from twin.gaps import Gap
from twin.machine.addresses import Address, LoopbackAddresses
from twin.machine.machine import Machine
from twin.machine.process import Processes
from twin.parameters import Parameters

IN_PART, WHOLE = Api(gaps=(Gap("in part", "", ""),)), Api(gaps=(Gap("whole", "", ""),))


CLOUD_MAP = "arn:aws:servicediscovery:eu-west-2:123456789012:service/"
NOWHERE = Address("127.0.0.1", 9)


class Recorded(Aws):
    """An endpoint with these answers; what is not among them is not there."""

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__("http://127.0.0.1:9", "eu-west-2", CREDENTIALS)
        self.answers = answers

    def call(self, service: str, operation: str, **parameters: Any) -> Any:
        answer = self.answers.get(operation, {})
        asked = parameters.get("AuthorizerId") or parameters.get("Id")
        if asked is None:
            return answer
        if asked not in answer:
            raise ClientError({"Error": {"Code": "NotFoundException", "Message": asked}}, operation)
        return answer[asked]


def endpoint(**changes: Any) -> Recorded:
    """One route, `GET /a`, to a Cloud Map service; *changes* by operation."""
    answers = {
        "GetApis": {"Items": [{"ApiId": "api", "ProtocolType": "HTTP"}]},
        "GetDomainNames": {"Items": []},
        "GetIntegrations": {"Items": [{"IntegrationId": "i", "IntegrationUri": CLOUD_MAP + "srv"}]},
        "GetRoutes": {"Items": [{"RouteId": "r", "RouteKey": "GET /a", "Target": "integrations/i"}]},
        "GetStages": {"Items": [{"StageName": "$default"}]},
        "GetService": {"srv": {"Service": {"Name": "shop", "NamespaceId": "ns"}}},
        "GetNamespace": {"ns": {"Namespace": {"Name": "shop.local"}}},
    }
    return Recorded(answers | changes)


def with_route(**more: Any) -> dict[str, Any]:
    """The endpoint's routes, with one more."""
    added = {"RouteId": "s", "RouteKey": "GET /b", "Target": "integrations/i", **more}
    return {"Items": [*endpoint().answers["GetRoutes"]["Items"], added]}


@pytest.mark.parametrize(
    ("route", "authorizer", "told"),
    [
        ({"AuthorizationType": "JWT"}, None, "route GET /b: it names no authorizer"),
        (
            {"AuthorizationType": "JWT", "AuthorizerId": "a"},
            {"Name": "n", "AuthorizerType": "JWT"},
            "authorizer n: it has no issuer",
        ),
        (
            {"AuthorizationType": "JWT", "AuthorizerId": "a"},
            {"Name": "n", "AuthorizerType": "REQUEST"},
            "route GET /b: its authorizer a is not served",
        ),
        ({"AuthorizationType": "JWT", "AuthorizerId": "gone"}, None, "authorizer gone: it is not there"),
        ({"AuthorizationType": "CUSTOM"}, None, "route GET /b: authorization CUSTOM is not known"),
        ({"RouteKey": "$connect"}, None, "route $connect: its key is none of an HTTP API"),
        ({"Target": "integrations/gone"}, None, "route GET /b: its integration is not served"),
    ],
)
def test_a_route_that_cannot_be_served_is_left_out_alone(
    route: dict[str, Any], authorizer: dict[str, Any] | None, told: str
) -> None:
    (api,) = read_apis(endpoint(GetRoutes=with_route(**route), GetAuthorizer={"a": authorizer} if authorizer else {}))

    assert [route.key for route in api.routes] == ["GET /a"]
    assert any(str(gap).startswith(told) for gap in api.gaps), api.gaps


def test_what_a_custom_domain_name_leads_to() -> None:
    mappings = [
        {"ApiId": "api", "ApiMappingKey": "v1/orders", "Stage": "prod"},
        {"ApiId": "other", "Stage": "$default"},
    ]
    domains = {"Items": [{"DomainName": "Shop.example"}]}
    (api,) = read_apis(endpoint(GetDomainNames=domains, GetApiMappings={"Items": mappings}))

    assert api.mappings == (ApiMapping("shop.example", "v1/orders", "prod"),)


def test_a_cloud_map_service_without_a_namespace() -> None:
    (api,) = read_apis(endpoint(GetService={"srv": {"Service": {"Name": "shop"}}}))

    assert api.routes == ()
    assert "shop has no namespace" in api.gaps[0].why


def any_of(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A resource with some of the fields: of what an answer has, moto leaves out what was not given."""
    return st.fixed_dictionaries({}, optional=fields)


TEXT = st.text(max_size=8)
TEXTS = st.lists(TEXT, max_size=2)
IDENTIFIER = st.sampled_from(["1", "2", "gone"])
LIMITS = any_of(ThrottlingRateLimit=st.floats(-1, 1e6, allow_nan=False), ThrottlingBurstLimit=st.integers(-1, 10_000))
INTEGRATION = any_of(
    IntegrationUri=st.sampled_from([CLOUD_MAP + "srv", CLOUD_MAP + "srv?a=b", CLOUD_MAP, "http://shop", "arn:"]) | TEXT,
    IntegrationType=TEXT,
    TimeoutInMillis=st.integers(0, 30_000),
    RequestParameters=st.dictionaries(st.just("overwrite:path") | TEXT, st.just("$request.path.a") | TEXT, max_size=2),
    ResponseParameters=st.dictionaries(TEXT, st.dictionaries(TEXT, TEXT, max_size=1), max_size=1),
)
ROUTE = any_of(
    RouteKey=st.sampled_from(["GET /a", "ANY /{proxy+}", "GET /{a}/{a}", "$default", "$connect", "GET"]) | TEXT,
    Target=IDENTIFIER.map(lambda name: f"integrations/{name}") | TEXT,
    AuthorizationType=st.sampled_from(["NONE", "JWT", "CUSTOM", "AWS_IAM"]) | TEXT,
    AuthorizerId=IDENTIFIER,
    AuthorizationScopes=TEXTS,
)
AUTHORIZER = any_of(
    Name=TEXT,
    AuthorizerType=st.sampled_from(["JWT", "REQUEST"]),
    IdentitySource=TEXTS,
    JwtConfiguration=any_of(Issuer=TEXT, Audience=TEXTS),
)
STAGE = any_of(
    StageName=st.sampled_from(["$default", "prod", "it's"]) | TEXT,
    DefaultRouteSettings=LIMITS,
    RouteSettings=st.dictionaries(TEXT, LIMITS, max_size=1),
    AccessLogSettings=any_of(Format=TEXT, DestinationArn=TEXT),
)
API = any_of(
    Name=TEXT,
    ProtocolType=st.sampled_from(["HTTP", "WEBSOCKET"]),
    CorsConfiguration=any_of(
        AllowOrigins=TEXTS, AllowMethods=TEXTS, MaxAge=st.integers(), AllowCredentials=st.booleans()
    ),
)
SERVICE = any_of(NamespaceId=st.sampled_from(["ns", "gone"]), DnsConfig=any_of(NamespaceId=st.just("ns")))


def numbered(name: str, resources: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Up to two of the resources, with the ids 1 and 2."""
    some = st.lists(resources, max_size=2)
    return some.map(lambda items: {"Items": [{name: str(n), **item} for n, item in enumerate(items, 1)]})


@settings(deadline=None)
@given(
    apis=numbered("ApiId", API),
    integrations=numbered("IntegrationId", INTEGRATION),
    routes=numbered("RouteId", ROUTE),
    stages=numbered("StageId", STAGE),
    authorizers=st.dictionaries(IDENTIFIER, AUTHORIZER, max_size=2),
    service=SERVICE,
)
def test_whatever_the_resources_are_they_are_read_and_served_or_left_out(
    apis: Any, integrations: Any, routes: Any, stages: Any, authorizers: Any, service: Any
) -> None:
    read = read_apis(
        endpoint(
            GetApis=apis,
            GetIntegrations=integrations,
            GetRoutes=routes,
            GetStages=stages,
            GetAuthorizer=authorizers,
            GetService={"srv": {"Service": {"Name": "shop", **service}}},
        )
    )

    assert len(read) == sum(item.get("ProtocolType") == "HTTP" for item in apis["Items"])
    assert all(len(api.routes) + len(api.gaps) >= len(routes["Items"]) for api in read)
    asked = [authorizer for api in read for authorizer in api.authorizers]
    keys = {authorizer.id: "{}" for authorizer in asked}
    hosts = {api.id: hosts_of(api.id, NOWHERE, "eu-west-2", is_first=api is read[0]) for api in read}
    made = (
        table(read, hosts, front_ends=1, connect_retries=0),
        listener(
            *("gateway", NOWHERE, read),
            authorizers=asked,
            route_source={},
            keys=keys,
            access_log=Path("access.log"),
        ),
    )
    json.dumps(made, allow_nan=False)


class NoListeners:
    def address(self, listener_arn: str) -> Address | None:
        return None

    def is_encrypted(self, listener_arn: str) -> bool:
        return False


def unstarted(folder: Path, events: Events | None = None, aws: Aws | None = None) -> Gateway:
    """A gateway whose Envoy does not run."""
    return Gateway(
        ApiUrls(NOWHERE, cast(LoopbackAddresses, None)),
        Machine(Processes(), cast(LoopbackAddresses, None), "envoy", folder),
        aws or endpoint(),
        NoListeners(),
        Parameters(),
        events or Events(),
        authorization=NOWHERE,
        issuer_url=None,
    )


def served(folder: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[], Api]) -> list[str]:
    """What the gateway tells of the API that it serves, which *read* reads."""

    async def configured() -> list[str]:
        events = Events()
        gateway = unstarted(folder, events)
        loop = asyncio.get_running_loop()

        def in_a_thread(aws: Aws) -> tuple[Api, ...]:
            api = read()
            if api is IN_PART:
                loop.call_soon_threadsafe(events.publish, ApiChanged())
            return (api,)

        monkeypatch.setattr("twin.front.http_api.gateway.read_apis", in_a_thread)
        await gateway.configure()
        return [gap.where for gap in gateway.gaps]

    return asyncio.run(configured())


def test_what_changes_while_it_is_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([IN_PART, IN_PART, WHOLE])

    assert served(tmp_path, monkeypatch, lambda: next(found)) == ["whole"]


def test_an_api_that_never_stops_changing_is_served_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert served(tmp_path, monkeypatch, lambda: IN_PART) == ["in part"]


def test_what_nobody_has_foreseen_is_told_and_the_next_change_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    async def followed() -> list[str]:
        failed = asyncio.Event()

        def report(part: str, error: Exception) -> None:
            told.append(f"{part}: {error}")
            failed.set()

        monkeypatch.setattr("twin.front.http_api.gateway.report", report)
        events = Events()
        gateway = unstarted(tmp_path, events)
        found: Iterator[Api | RuntimeError] = iter([RuntimeError("unforeseen"), WHOLE])

        def read(aws: Aws) -> tuple[Api, ...]:
            match next(found):
                case Api() as api:
                    return (api,)
                case error:
                    raise error

        monkeypatch.setattr("twin.front.http_api.gateway.read_apis", read)
        following = asyncio.create_task(gateway.follow())
        events.publish(ApiChanged())
        await failed.wait()
        events.publish(ApiChanged())
        while gateway.gaps != list(WHOLE.gaps):
            await asyncio.wait({following}, timeout=0.01)
            assert not following.done()
        following.cancel()
        return [gap.where for gap in gateway.gaps]

    assert asyncio.run(followed()) == ["whole"]
    assert told == ["the gateway's configuration: unforeseen"]


def test_a_silent_issuer_holds_up_neither_the_api_nor_discovery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jwt = {"Name": "n", "AuthorizerType": "JWT", "JwtConfiguration": {"Issuer": "https://issuer.example"}}
    routes = with_route(AuthorizationType="JWT", AuthorizerId="a")
    aws = endpoint(GetRoutes=routes, GetAuthorizer={"a": jwt}, DiscoverInstances={"Instances": []})
    speak = threading.Event()

    def fetch(issuer: str) -> str:
        speak.wait()
        return '{"keys":[]}'

    def guarded() -> Any:
        (answer,) = json.loads((tmp_path / "gateway" / "xds" / "rds.json").read_text())["resources"]
        return next(route for route in answer["virtual_hosts"][0]["routes"] if route.get("name", "").endswith("GET /b"))

    async def configured() -> None:
        gateway = unstarted(tmp_path, aws=aws)
        async with asyncio.timeout(20):
            await gateway.configure()
            await gateway.discover()
            assert guarded()["direct_response"] == {"status": 401}
            speak.set()
            while "route" not in guarded():
                await asyncio.sleep(0.01)

    monkeypatch.setattr("twin.front.http_api.gateway.fetch_keys", fetch)
    try:
        asyncio.run(configured())
    finally:
        speak.set()
    listening = json.loads((tmp_path / "gateway" / "xds" / "lds.json").read_text())
    assert "https://issuer.example" in json.dumps(listening)
