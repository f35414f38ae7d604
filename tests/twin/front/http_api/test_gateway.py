"""A real gateway, asked by real clients: its answers are those of the table in docs/reference/fidelity.md."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from joserfc.jwk import RSAKey

from tests.twin.aws.ecs.load import Load
from tests.twin.front.http_api.conftest import ApiInHand, listing, twin_set
from tests.twin.front.http_api.issuer import Issuer, issuer_at_work
from tests.twin.running import RunningTwin, admin_text, wait_until
from twin.remote import ask

MEBIBYTE = 1024 * 1024
FORBIDDEN = (403, b'{"message":"Forbidden"}')
UNAUTHORIZED = (401, b'{"message":"Unauthorized"}')


def said(answer: httpx.Response) -> tuple[int, bytes]:
    return answer.status_code, answer.content


def is_status(*statuses: int) -> Any:
    return lambda answer: answer.status_code in statuses


def test_what_the_service_sees_and_what_the_client_gets(api: ApiInHand) -> None:
    answer = api.client.get("/hostname?a=1&b=%2F")

    seen = answer.json()
    assert seen["path"] == "/hostname?a=1&b=%2F"
    assert seen["headers"]["via"] == "HTTP/1.1 AmazonAPIGateway"
    host = httpx.URL(api.twin.gateway_url).netloc.decode()
    assert seen["headers"]["forwarded"] == f"by=127.0.0.1;for=127.0.0.1;host={host};proto=http"
    assert not {"x-envoy-external-address", "x-forwarded-for"} & seen["headers"].keys()
    assert "via" not in answer.headers
    assert answer.headers["apigw-requestid"] != api.client.get("/hostname").headers["apigw-requestid"]


@pytest.mark.parametrize("forwarded_for", [None, "10.9.9.9", "8.8.8.8"])
@pytest.mark.parametrize("timeout", ["x-envoy-upstream-rq-timeout-ms", "x-envoy-upstream-rq-per-try-timeout-ms"])
def test_a_client_decides_neither_its_address_nor_the_requests_id_nor_a_timeout(
    api: ApiInHand, forwarded_for: str | None, timeout: str
) -> None:
    given = {"x-request-id": "hello", timeout: "1"}
    if forwarded_for:
        given["x-forwarded-for"] = forwarded_for
    answer = api.client.get("/hostname?delay=0.1", headers=given)

    assert answer.status_code == 200
    seen = answer.json()["headers"]
    assert "for=127.0.0.1;" in seen["forwarded"]
    assert seen.get("x-forwarded-for") == forwarded_for
    assert answer.headers["apigw-requestid"] == seen["x-request-id"] != "hello"
    assert timeout not in seen


def test_http_1_0(api: ApiInHand) -> None:
    command = [
        "curl",
        "-sS",
        "--http1.0",
        "-w",
        "%{stderr}%{http_version} %{http_code}",
        f"{api.twin.gateway_url}/hostname",
    ]
    done = subprocess.run(command, capture_output=True, check=True)

    assert done.stderr in (b"1 200", b"1.0 200")
    assert json.loads(done.stdout)["path"] == "/hostname"


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("POST", "/hostname"), ("GET", "/hostname/")])
def test_without_a_route(api: ApiInHand, method: str, path: str) -> None:
    answer = api.client.request(method, path)

    assert said(answer) == (404, b'{"message":"Not Found"}')
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["apigw-requestid"]
    assert "x-hostname" not in answer.headers


def test_path_variables_methods_and_the_default_route(api: ApiInHand) -> None:
    api.add_route("ANY /users/{proxy+}", api.add_integration(RequestParameters={"overwrite:path": "/greedy"}))
    api.add_route("GET /users/{id}", api.add_integration(RequestParameters={"overwrite:path": "/$request.path.id"}))

    api.until(lambda answer: answer.is_success and answer.json()["path"] == "/7", "GET", "/users/7")
    assert api.client.put("/users/7").json()["path"] == "/greedy"
    assert api.client.get("/users/7/orders?x=1").json()["path"] == "/greedy?x=1"
    assert api.client.get("/users").status_code == 404

    default = api.add_route("$default")
    assert api.until(is_status(200), "DELETE", "/users").json()["method"] == "DELETE"
    api.calls.delete_route(ApiId=api.id, RouteId=default)
    api.until(is_status(404), "DELETE", "/users")


def test_routes_are_compared_segment_by_segment_whichever_was_created_first(api: ApiInHand) -> None:
    def shown(key: str) -> str:
        """A route of this key, at which the service is asked for a path of its own."""
        name = "/" + re.sub(r"\W+", "-", key).strip("-")
        return api.add_route(key, api.add_integration(RequestParameters={"overwrite:path": name}))

    def sent(method: str, path: str) -> Any:
        """The path that the service is asked for."""
        return api.client.request(method, path).json().get("path")

    keys = ["GET /s/{proxy+}", "ANY /s/orders/{proxy+}", "GET /s/orders/{proxy+}", "ANY /s/orders/{id}"]
    keys += ["ANY /s/a/{what}", "GET /s/{shop}/orders"]
    expected = {
        ("GET", "/s/orders/7/items"): "/GET-s-orders-proxy",  # its literal comes before the variable's greed
        ("PUT", "/s/orders/7/items"): "/ANY-s-orders-proxy",
        ("GET", "/s/orders/7"): "/ANY-s-orders-id",  # the method is compared last
        ("GET", "/s/a/orders"): "/ANY-s-a-what",
        ("GET", "/s/b/orders"): "/GET-s-shop-orders",
        ("GET", "/s/b/else"): "/GET-s-proxy",
    }
    for order in (keys, keys[::-1]):
        routes = [shown(key) for key in order]
        wait_until(lambda: {asked: sent(*asked) for asked in expected} == expected, "each has its route", timeout=10)
        for route in routes:
            api.calls.delete_route(ApiId=api.id, RouteId=route)
        api.until(is_status(404), "GET", "/s/orders/7")


def test_a_service_of_the_same_name_in_another_namespace_gets_no_request(api: ApiInHand) -> None:
    cloud_map = api.twin.client("servicediscovery")
    (own,) = cloud_map.list_services()["Services"]
    operation = cloud_map.create_http_namespace(Name="other")["OperationId"]
    namespace = cloud_map.get_operation(OperationId=operation)["Operation"]["Targets"]["NAMESPACE"]
    foreign = cloud_map.create_service(Name=own["Name"], NamespaceId=namespace)["Service"]
    deaf = {"AWS_INSTANCE_IPV4": "127.0.0.1", "AWS_INSTANCE_PORT": "9"}
    cloud_map.register_instance(ServiceId=foreign["Id"], InstanceId="deaf", Attributes=deaf)
    to_foreign = api.add_route("GET /foreign", api.add_integration(IntegrationUri=foreign["Arn"]))

    api.until(is_status(503), "GET", "/foreign")
    asked = Counter(api.client.get("/hostname").status_code for _ in range(60))
    assert asked == {200: 60}
    api.calls.delete_route(ApiId=api.id, RouteId=to_foreign)
    cloud_map.deregister_instance(ServiceId=foreign["Id"], InstanceId="deaf")
    cloud_map.delete_service(Id=foreign["Id"])
    cloud_map.delete_namespace(Id=namespace)


def test_a_named_stage_is_sent_unless_the_path_is_overwritten(api: ApiInHand) -> None:
    api.add_route("GET /whole", api.add_integration())
    api.calls.create_stage(ApiId=api.id, StageName="prod", AutoDeploy=True)

    assert api.until(is_status(200), "GET", "/prod/hostname").json()["path"] == "/hostname"
    assert api.client.get("/prod/whole").json()["path"] == "/prod/whole"
    assert api.client.get("/whole").json()["path"] == "/whole"
    assert said(api.client.get("/prod/nowhere")) == (404, b'{"message":"Not Found"}')
    api.calls.delete_stage(ApiId=api.id, StageName="prod")
    api.until(is_status(404), "GET", "/prod/hostname")


def test_an_integration_that_takes_too_long(api: ApiInHand) -> None:
    api.add_route("GET /late", api.add_integration(TimeoutInMillis=150))

    api.until(is_status(200), "GET", "/late")
    assert said(api.client.get("/late?delay=1")) == (504, b'{"message":"Gateway Timeout"}')


def test_the_services_own_failures_pass_as_they_are(api: ApiInHand) -> None:
    assert api.client.get("/hostname?status=503&size=3").content == b"xxx"
    assert api.client.get("/hostname?status=404&size=3").content == b"xxx"


def test_the_payloads_limit(api: ApiInHand) -> None:
    api.add_route("POST /upload")

    assert api.until(is_status(200), "POST", "/upload", content=b"x" * 10 * MEBIBYTE).json()["length"] == 10 * MEBIBYTE
    answer = api.client.post("/upload", content=b"x" * (10 * MEBIBYTE + 1))
    assert said(answer) == (413, b'{"message":"Request Entity Too Large"}')


def test_throttling_by_rate_and_burst(api: ApiInHand) -> None:
    settings = {"GET /ready": {"ThrottlingRateLimit": 0.1, "ThrottlingBurstLimit": 3}}
    api.calls.update_stage(ApiId=api.id, StageName="$default", RouteSettings=settings)

    refused = api.until(is_status(429), "GET", "/ready")
    assert said(refused) == (429, b'{"message":"Too Many Requests"}')
    assert api.client.get("/hostname").status_code == 200  # a route's bucket is its own
    # Another setting is another bucket, which is full.
    settings = {"GET /ready": {"ThrottlingRateLimit": 0.2, "ThrottlingBurstLimit": 5}}
    api.calls.update_stage(ApiId=api.id, StageName="$default", RouteSettings=settings)
    api.until(is_status(200), "GET", "/ready")
    assert [api.client.get("/ready").status_code for _ in range(6)] == [200, 200, 200, 200, 429, 429]


@pytest.mark.parametrize(
    "settings",
    [
        {"ThrottlingRateLimit": 0, "ThrottlingBurstLimit": 5},
        {"ThrottlingRateLimit": 5, "ThrottlingBurstLimit": 0},
        {"ThrottlingRateLimit": 0},
    ],
    ids=str,
)
def test_a_rate_or_burst_of_zero_lets_nobody_through(api: ApiInHand, settings: dict[str, int]) -> None:
    api.add_route(key := f"GET /zero/{len(settings)}/{settings.get('ThrottlingBurstLimit')}")
    path = key.removeprefix("GET ")
    api.until(is_status(200), "GET", path)
    api.calls.update_stage(ApiId=api.id, StageName="$default", RouteSettings={key: settings})

    assert said(api.until(is_status(429), "GET", path)) == (429, b'{"message":"Too Many Requests"}')


def test_a_rate_without_a_burst_has_the_accounts_burst(api: ApiInHand) -> None:
    api.add_route("GET /rate")
    settings = {"GET /rate": {"ThrottlingRateLimit": 0.1}}
    api.calls.update_stage(ApiId=api.id, StageName="$default", RouteSettings=settings)

    def bucket() -> Any:
        entries = json.loads((api.twin.state / "gateway/xds/rds.json").read_text())["resources"][0]["virtual_hosts"][0]
        filters = [
            entry.get("typed_per_filter_config")
            for entry in entries["routes"]
            if entry.get("name", "").endswith("GET /rate")
        ]
        return filters and (filters[0] or {}).get("envoy.filters.http.local_ratelimit")

    limit = wait_until(bucket, "the route has its throttle")
    assert limit["token_bucket"] == {"max_tokens": 5000, "tokens_per_fill": 1, "fill_interval": "10.000000s"}


def test_aws_iam_as_curl_signs(api: ApiInHand) -> None:
    api.add_route("POST /signed", AuthorizationType="AWS_IAM")
    url = f"{api.twin.gateway_url}/signed?a=1&b=2"

    def ask(*options: str) -> tuple[int, bytes]:
        command = ["curl", "-sS", "-X", "POST", "-w", "%{stderr}%{http_code}", *options, url]
        done = subprocess.run(command, capture_output=True, check=True)
        return int(done.stderr), done.stdout

    signed = ("--aws-sigv4", "aws:amz:eu-west-2:execute-api", "--data", "hello")
    api.until(is_status(403), "POST", "/signed")
    key, secret = api.twin.credentials.access_key, api.twin.credentials.secret_key
    status, body = ask(*signed, "-u", f"{key}:{secret}")
    assert (status, json.loads(body)["length"]) == (200, 5)
    assert ask("--data", "hello") == FORBIDDEN
    assert ask(*signed, "-u", f"{key}:wrong") == FORBIDDEN
    assert ask("--aws-sigv4", "aws:amz:eu-west-2:s3", "--data", "hello", "-u", f"{key}:{secret}") == FORBIDDEN
    refused = api.client.post("/signed")
    assert "server" not in refused.headers


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuer_at_work() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def guarded(api: ApiInHand, issuer: Issuer) -> ApiInHand:
    """With a route for tokens, and one for those with a scope."""
    authorizer = api.calls.create_authorizer(
        ApiId=api.id,
        AuthorizerType="JWT",
        Name="jwt",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": issuer.url, "Audience": ["shop", "other"]},
    )["AuthorizerId"]
    jwt = {"AuthorizationType": "JWT", "AuthorizerId": authorizer}
    api.add_route("GET /token", **jwt)
    api.add_route("GET /scope", AuthorizationScopes=["read", "write"], **jwt)
    api.until(is_status(200), "GET", "/scope", headers={"authorization": issuer.token(scope="read")})
    return api


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({}, 200),
        ({"aud": ["elsewhere", "other"]}, 200),
        ({"aud": None, "client_id": "shop"}, 200),
        ({"iat": None}, 200),
        ({"aud": "elsewhere", "client_id": "shop"}, 401),
        ({"aud": None}, 401),
        ({"iss": "https://elsewhere"}, 401),
        ({"exp": 1}, 401),
        ({"exp": None}, 401),
        ({"nbf": 4_000_000_000}, 401),
        ({"iat": 4_000_000_000}, 401),
    ],
    ids=str,
)
def test_jwt_claims(guarded: ApiInHand, issuer: Issuer, claims: dict[str, Any], expected: int) -> None:
    for prefix in ("Bearer ", ""):
        answer = guarded.client.get("/token", headers={"authorization": prefix + issuer.token(**claims)})
        assert answer.status_code == expected
        if expected == 401:
            assert said(answer) == UNAUTHORIZED
            assert answer.headers["www-authenticate"].startswith("Bearer ")


def test_jwt_keys(guarded: ApiInHand, issuer: Issuer) -> None:
    stranger = RSAKey.generate_key(2048, {"kid": "key-1"}, private=True)
    tokens = [
        issuer.token(key=stranger),
        issuer.token(header={"kid": "key-9"}),
        issuer.token(header={"kid": None}),
        "no.token.at-all",
    ]

    for token in tokens:
        assert said(guarded.client.get("/token", headers={"authorization": f"Bearer {token}"})) == UNAUTHORIZED
    assert said(guarded.client.get("/token")) == UNAUTHORIZED
    assert said(guarded.client.get("/token", params={"access_token": issuer.token()})) == UNAUTHORIZED


def test_a_valid_token_for_nobody_is_told_as_api_gateway_tells_it(guarded: ApiInHand, issuer: Issuer) -> None:
    answer = guarded.client.get("/token", headers={"authorization": issuer.token(aud="elsewhere")})

    told = 'Bearer scope="" error="invalid_token" error_description="the token does not have a valid audience"'
    assert answer.headers["www-authenticate"] == told


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"scope": "list write"}, 200),
        ({"scp": ["read"]}, 200),
        ({"scope": "reader writer"}, 403),
        ({}, 403),
        ({"scope": {"read": 1}}, 403),
        ({"scope": 7}, 401),
    ],
    ids=str,
)
def test_jwt_scopes(guarded: ApiInHand, issuer: Issuer, claims: dict[str, Any], expected: int) -> None:
    answer = guarded.client.get("/scope", headers={"authorization": issuer.token(**claims)})

    assert answer.status_code == expected
    if expected == 403:
        assert said(answer) == FORBIDDEN


def test_an_issuer_without_keys_lets_nobody_in(api: ApiInHand) -> None:
    authorizer = api.calls.create_authorizer(
        ApiId=api.id,
        AuthorizerType="JWT",
        Name="nobody",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": "http://127.0.0.1:9", "Audience": ["shop"]},
    )["AuthorizerId"]
    api.add_route("GET /nobody", AuthorizationType="JWT", AuthorizerId=authorizer)

    assert said(api.until(is_status(401), "GET", "/nobody")) == UNAUTHORIZED
    assert any(event["step"] == "no keys for JWT" for event in api.twin.events() if event["kind"] == "gateway")


def test_a_route_whose_authorizer_is_deleted_goes_and_later_changes_are_served(api: ApiInHand, issuer: Issuer) -> None:
    authorizer = api.calls.create_authorizer(
        ApiId=api.id,
        AuthorizerType="JWT",
        Name="deleted",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": issuer.url, "Audience": ["shop"]},
    )["AuthorizerId"]
    route = api.add_route("GET /deleted", AuthorizationType="JWT", AuthorizerId=authorizer)
    api.until(is_status(401), "GET", "/deleted")
    api.calls.delete_authorizer(ApiId=api.id, AuthorizerId=authorizer)

    api.until(is_status(404), "GET", "/deleted")
    assert f"route GET /deleted: its authorizer {authorizer} is not served" in listing(api.twin)
    api.add_route("GET /after")
    api.until(is_status(200), "GET", "/after")
    api.calls.delete_route(ApiId=api.id, RouteId=route)


def test_a_token_in_the_query_string(api: ApiInHand, issuer: Issuer) -> None:
    authorizer = api.calls.create_authorizer(
        ApiId=api.id,
        AuthorizerType="JWT",
        Name="query",
        IdentitySource=["$request.querystring.tok"],
        JwtConfiguration={"Issuer": issuer.url, "Audience": ["shop"]},
    )["AuthorizerId"]
    api.add_route("GET /query", AuthorizationType="JWT", AuthorizerId=authorizer)

    assert said(api.until(is_status(401), "GET", "/query")) == UNAUTHORIZED
    api.until(is_status(200), "GET", "/query", params={"tok": issuer.token()})
    assert said(api.client.get("/query", params={"tok": issuer.token(exp=1)})) == UNAUTHORIZED
    assert said(api.client.get("/query", headers={"authorization": issuer.token()})) == UNAUTHORIZED


def test_what_envoy_refuses_is_told_and_ends_with_its_route(api: ApiInHand, issuer: Issuer) -> None:
    authorizer = api.calls.create_authorizer(
        ApiId=api.id,
        AuthorizerType="JWT",
        Name="nameless header",
        IdentitySource=["$request.header."],
        JwtConfiguration={"Issuer": issuer.url, "Audience": ["shop"]},
    )["AuthorizerId"]
    route = api.add_route("GET /refused", AuthorizationType="JWT", AuthorizerId=authorizer)

    told = wait_until(lambda: re.search(r"refused by Envoy: .*", listing(api.twin)), "it is told")
    assert "JwtHeader" in told[0]
    assert said(api.client.get("/refused")) == FORBIDDEN
    api.calls.delete_route(ApiId=api.id, RouteId=route)
    wait_until(lambda: "refused by Envoy" not in listing(api.twin), "it is no longer told")
    api.calls.update_api(ApiId=api.id, CorsConfiguration={"AllowOrigins": ["*"], "AllowMethods": ["GET"]})
    preflight = {"origin": "https://shop.example", "access-control-request-method": "GET"}
    api.until(is_status(204), "OPTIONS", "/hostname", headers=preflight)


def test_a_disabled_endpoint_is_served_and_told(api: ApiInHand) -> None:
    api.calls.update_api(ApiId=api.id, DisableExecuteApiEndpoint=True)
    wait_until(lambda: "disabled endpoint: it is served at its own address" in listing(api.twin), "it is told")
    assert api.client.get("/hostname").status_code == 200
    api.calls.update_api(ApiId=api.id, DisableExecuteApiEndpoint=False)


def test_cors(api: ApiInHand) -> None:
    cors = {
        "AllowOrigins": ["https://shop.example", "http://*", "https://bücher.example"],
        "AllowMethods": ["GET", "PUT"],
        "AllowHeaders": ["x-a", "x-b"],
        "ExposeHeaders": ["x-hostname"],
        "MaxAge": 300,
    }
    api.calls.update_api(ApiId=api.id, CorsConfiguration=cors)
    preflight = {"origin": "https://shop.example", "access-control-request-method": "PUT"}
    allowed = api.until(
        lambda answer: "PUT" in answer.headers.get("access-control-allow-methods", ""),
        "OPTIONS",
        "/hostname",
        headers=preflight,
    )

    def of_cors(answer: httpx.Response) -> dict[str, str]:
        start = "access-control-"
        return {name.removeprefix(start): v for name, v in answer.headers.items() if name.startswith(start)}

    expected = {"allow-origin": "https://shop.example", "expose-headers": "x-hostname"}
    asked = {"allow-methods": "GET,PUT", "allow-headers": "x-a,x-b", "max-age": "300"}
    assert of_cors(allowed) == expected | asked
    assert (allowed.status_code, allowed.content) == (204, b"")
    assert allowed.headers["apigw-requestid"]
    books = api.client.options(
        "/hostname", headers=httpx.Headers(preflight | {"origin": "https://bücher.example"}, "utf-8")
    )
    assert of_cors(books)["allow-origin"] == "https://bücher.example"
    # Without a route of that method too, and for nobody else's origin.
    assert api.client.options("/no/route", headers=preflight).status_code == 204
    other = api.client.options("/hostname", headers=preflight | {"origin": "https://evil.example"})
    assert (other.status_code, of_cors(other)) == (204, {})
    # Requests: what the service says of CORS is ignored.
    own = {"header": "access-control-allow-origin:*"}
    assert of_cors(api.client.get("/hostname", params=own, headers={"origin": "http://any.example"})) == expected | {
        "allow-origin": "http://any.example"
    }
    assert of_cors(api.client.get("/hostname", params=own)) == {}
    # An OPTIONS request that is no preflight is a request like any other.
    assert api.client.options("/hostname").status_code == 404
    # A route that asks for authorization and takes OPTIONS asks for it in preflights too.
    api.add_route("ANY /members", AuthorizationType="AWS_IAM")
    api.until(is_status(403), "GET", "/members")
    assert api.client.options("/members", headers=preflight).status_code == 403


def logged(api: ApiInHand, variables: tuple[str, ...]) -> Callable[[httpx.Response], list[str]]:
    """Sets the access log's format to these variables; what gives the values for an answer."""
    log = api.twin.state / "gateway" / "access.log"
    settings = {
        "DestinationArn": "arn:aws:logs:eu-west-2:123456789012:log-group:api",
        "Format": "|".join(f"$context.{name}" for name in ("requestId", *variables)),
    }
    api.calls.update_stage(ApiId=api.id, StageName="$default", AccessLogSettings=settings)

    def lines() -> dict[str, list[str]]:
        found = [line.split("|") for line in log.read_text().splitlines() if line.count("|") == len(variables)]
        return {request_id: values for request_id, *values in found}

    def line_of(answer: httpx.Response) -> list[str]:
        name = answer.headers["apigw-requestid"]
        return list(wait_until(lambda: lines().get(name), f"{answer.request.url} is logged"))

    wait_until(lambda: api.client.get("/hostname") and lines(), "the new format is in use")
    return line_of


def test_the_access_log_is_in_the_stages_format(api: ApiInHand) -> None:
    variables = ("status", "httpMethod", "path", "routeKey", "stage", "integration.status", "identity.sourceIp")
    line_of = logged(api, (*variables, "apiId", "accountId", "awsEndpointRequestId"))

    of_api = ["127.0.0.1", api.id, "123456789012", "-"]
    served = api.client.get("/hostname?secret=1", headers={"x-forwarded-for": "10.9.9.9"})
    assert line_of(served) == ["200", "GET", "/hostname", "GET /hostname", "$default", "200", *of_api]
    refused = api.client.post("/nowhere")
    assert line_of(refused) == ["404", "POST", "/nowhere", "-", "$default", "-", *of_api]
    assert "access log, $context.awsEndpointRequestId" in listing(api.twin)
    assert "$context.apiId" not in listing(api.twin)


def test_the_access_log_tells_whose_error_it_was(guarded: ApiInHand, issuer: Issuer) -> None:
    guarded.add_route("GET /slow", guarded.add_integration(TimeoutInMillis=150))
    guarded.add_route("POST /big")
    guarded.add_route("GET /own", AuthorizationType="AWS_IAM")
    guarded.until(is_status(403), "GET", "/own")
    line_of = logged(guarded, ("status", "error.message", "authorizer.error", "integration.error", "integrationStatus"))
    ask = guarded.client.request

    def line(method: str, path: str, **options: Any) -> list[str]:
        return line_of(ask(method, path, **options))

    def token(**claims: Any) -> dict[str, str]:
        return {"authorization": issuer.token(**claims)}

    assert line("GET", "/hostname?status=503&size=3") == ["503", "-", "-", "-", "503"]
    assert line("GET", "/nowhere") == ["404", "Not Found", "-", "-", "-"]
    assert line("POST", "/big", content=b"x" * (10 * MEBIBYTE + 1)) == [
        "413",
        "Request Entity Too Large",
        "-",
        "-",
        "-",
    ]
    too_large = "Request Header Fields Too Large"
    assert line("GET", "/hostname", headers={"x": "a" * 10_240}) == ["431", too_large, "-", "-", "-"]
    assert line("GET", "/slow?delay=1") == ["504", "Gateway Timeout", "-", "response_timeout", "-"]
    assert line("GET", "/token") == ["401", "Unauthorized", "jwt_authn_access_denied{Jwt_is_missing}", "-", "-"]
    audience = "the token does not have a valid audience"
    assert line("GET", "/token", headers=token(aud="else")) == ["401", "Unauthorized", audience, "-", "-"]
    scopes = "the token has none of the route's scopes"
    assert line("GET", "/scope", headers=token()) == ["403", "Forbidden", scopes, "-", "-"]
    assert line("GET", "/own") == ["403", "Forbidden", "ext_authz_denied", "-", "-"]
    preflight = {"origin": "https://shop.example", "access-control-request-method": "PUT"}
    assert line("OPTIONS", "/hostname", headers=preflight) == ["204", "-", "-", "-", "-"]


def test_parameters_change_while_it_runs(twin: RunningTwin) -> None:
    said = twin.says("set", "discovery-ttl=0.5", "reuse-connections=off")

    assert {"discovery-ttl=0.5", "reuse-connections=false"} <= set(said.splitlines())
    logged = [event["set"] for event in twin.events() if event["kind"] == "parameters"]
    assert logged[-1] == ["discovery-ttl=0.5", "reuse-connections=off"]
    twin_set(twin, "discovery-ttl=0", "reuse-connections=on")


def test_what_is_no_parameter_is_refused_in_one_sentence(twin: RunningTwin) -> None:
    ran = twin.run("set", "balancing=fair")

    assert (ran.code, ran.out) == (2, "")
    told = "twin: balancing=fair: 'fair' is no value for balancing; give one of random, round-robin, least-request."
    assert ran.err == told + "\n"


def test_each_front_end_is_a_balancer_of_its_own(twin: RunningTwin) -> None:
    def spread(front_ends: int, requests: int) -> Counter[str]:
        twin_set(twin, "balancing=round-robin", f"front-ends={front_ends}")
        with httpx.Client(base_url=twin.gateway_url) as client:
            return Counter(client.get("/hostname").headers["x-hostname"] for _ in range(requests))

    # One round robin is even to within one request; so is each of F, and their sum to within F.
    one = spread(1, 90).values()
    assert sorted(one) == [30, 30, 30]
    some = spread(7, 140).values()
    assert len(some) == 3
    assert max(some) - min(some) <= 7
    twin_set(twin, "balancing=random", "front-ends=1")


def test_changes_lose_no_request_and_restart_no_listener(api: ApiInHand) -> None:
    twin = api.twin

    def listeners(stat: str) -> int:
        text = admin_text(twin.state / "gateway", f"/stats?filter=listener_manager.{stat}")
        return int(re.findall(r"(\d+)$", text.strip())[0])

    before = {stat: listeners(stat) for stat in ("listener_modified", "listener_in_place_updated")}
    with Load(twin.gateway_url, connections=8, pause=0.01) as load:

        def under_load() -> None:
            reached = load.requests + 100
            wait_until(lambda: load.requests >= reached, "the load goes on")

        under_load()
        for number in range(3):
            api.add_route(f"GET /more/{number}")
            settings = {"DestinationArn": "arn:aws:logs:::log-group:api", "Format": f"{number} $context.status"}
            api.calls.update_stage(ApiId=api.id, StageName="$default", AccessLogSettings=settings)
            cors = {"AllowOrigins": [f"https://{number}.example"], "AllowMethods": ["GET"]}
            api.calls.update_api(ApiId=api.id, CorsConfiguration=cors)
            api.until(is_status(200), "GET", f"/more/{number}")
            under_load()
        for assignments in (["front-ends=50"], ["balancing=least-request", "front-ends=2"], ["reuse-connections=off"]):
            twin_set(twin, *assignments)
            under_load()
        twin_set(twin, "front-ends=1", "balancing=random", "reuse-connections=on")
        under_load()

    assert load.failures == []
    changed = {stat: listeners(stat) - number for stat, number in before.items()}
    assert changed["listener_modified"] == changed["listener_in_place_updated"] > 0
    assert listeners("total_listeners_draining") == 0


def test_an_instance_that_no_request_can_be_sent_to_is_told_and_the_others_are_used(api: ApiInHand) -> None:
    twin, cloud_map = api.twin, api.twin.client("servicediscovery")
    (service,) = cloud_map.list_services()["Services"]
    instances = {
        "portless": {"AWS_INSTANCE_IPV4": "127.0.0.1"},
        "word": {"AWS_INSTANCE_IPV4": "not-an-ip", "AWS_INSTANCE_PORT": "80"},
        "deaf": {"AWS_INSTANCE_IPV4": "127.0.0.1", "AWS_INSTANCE_PORT": "9"},
    }

    def has_deaf() -> bool:
        return "127.0.0.1:9::" in admin_text(twin.state / "gateway", "/clusters")

    for name, attributes in instances.items():
        cloud_map.register_instance(ServiceId=service["Id"], InstanceId=name, Attributes=attributes)
    wait_until(has_deaf, "the other is used")
    told = listing(twin)
    assert "instance portless: it has no IPv4 address with a port" in told
    assert "instance word: it has no IPv4 address with a port" in told
    for name in instances:
        cloud_map.deregister_instance(ServiceId=service["Id"], InstanceId=name)
    wait_until(lambda: not has_deaf(), "it is no longer used")
    wait_until(lambda: "instance word" not in listing(twin), "what is gone is no longer told")
    assert api.client.get("/hostname").status_code == 200
    logged = [event["instances"] for event in twin.events() if event.get("step") == "instances without address"]
    assert sorted(name for names in logged for name in names) == ["portless", "word"]


def test_an_answer_of_cloud_map_is_used_until_it_is_old_enough_whoever_reads_parameters(api: ApiInHand) -> None:
    twin, cloud_map = api.twin, api.twin.client("servicediscovery")
    (service,) = cloud_map.list_services()["Services"]
    deaf = {"AWS_INSTANCE_IPV4": "127.0.0.1", "AWS_INSTANCE_PORT": "9"}

    def has_deaf() -> bool:
        return "127.0.0.1:9::" in admin_text(twin.state / "gateway", "/clusters")

    twin_set(twin, "discovery-ttl=600")
    cloud_map.register_instance(ServiceId=service["Id"], InstanceId="deaf", Attributes=deaf)
    twin_set(twin)  # which asks for the parameters
    ask(twin.running, "age", seconds=300)
    assert api.client.get("/hostname").status_code == 200
    assert not has_deaf()
    ask(twin.running, "age", seconds=600)
    wait_until(has_deaf, "Cloud Map is asked anew")
    cloud_map.deregister_instance(ServiceId=service["Id"], InstanceId="deaf")
    twin_set(twin, "discovery-ttl=0")
    wait_until(lambda: not has_deaf(), "it is no longer used")


def test_requests_of_a_task_are_counted_on_when_instances_change(api: ApiInHand) -> None:
    twin, cloud_map = api.twin, api.twin.client("servicediscovery")
    (service,) = cloud_map.list_services()["Services"]
    deaf = {"AWS_INSTANCE_IPV4": "127.0.0.1", "AWS_INSTANCE_PORT": "9"}

    def counted() -> int:
        tasks = twin.run("ps", "--json").json["tasks"]
        return sum(task["requests"] for task in tasks)

    before = counted()
    for _ in range(20):
        assert api.client.get("/hostname").status_code == 200
    assert counted() == before + 20
    cloud_map.register_instance(ServiceId=service["Id"], InstanceId="deaf", Attributes=deaf)
    wait_until(lambda: "127.0.0.1:9::" in admin_text(twin.state / "gateway", "/clusters"), "the other is used")
    assert counted() == before + 20
    cloud_map.deregister_instance(ServiceId=service["Id"], InstanceId="deaf")
    wait_until(lambda: "127.0.0.1:9::" not in admin_text(twin.state / "gateway", "/clusters"), "it is no longer used")
    assert counted() == before + 20
    assert api.client.get("/hostname").status_code == 200
    assert counted() == before + 21


def test_no_instance(api: ApiInHand) -> None:
    ecs = api.twin.client("ecs")
    names = {"cluster": "serviceconnect", "service": "serviceconnect"}
    line_of = logged(api, ("status", "error.message", "authorizer.error", "integrationErrorMessage"))
    ecs.update_service(**names, desiredCount=0)

    answer = api.until(is_status(503), "GET", "/hostname")
    assert line_of(answer) == ["503", "Service Unavailable", "-", "no_healthy_upstream"]
    wait_until(lambda: not api.twin.tasks(), "no task is wanted")
    assert said(answer) == (503, b'{"message":"Service Unavailable"}')
    ecs.update_service(**names, desiredCount=1)
    api.until(is_status(200), "GET", "/hostname")


def test_a_refused_connection_is_always_tried_on_another_task(api: ApiInHand) -> None:
    twin, cloud_map = api.twin, api.twin.client("servicediscovery")
    (service,) = cloud_map.list_services()["Services"]
    deaf = {"AWS_INSTANCE_IPV4": "127.0.0.1", "AWS_INSTANCE_PORT": "9"}
    wait_until(lambda: len(twin.tasks()) == 1, "one task runs, so that every second request is refused at first")
    twin_set(twin, "connect-retries=1")
    cloud_map.register_instance(ServiceId=service["Id"], InstanceId="deaf", Attributes=deaf)
    wait_until(lambda: "127.0.0.1:9::" in admin_text(twin.state / "gateway", "/clusters"), "the other is used")

    assert Counter(api.client.get("/hostname").status_code for _ in range(600)) == {200: 600}
    cloud_map.deregister_instance(ServiceId=service["Id"], InstanceId="deaf")
    twin_set(twin, "connect-retries=0")
