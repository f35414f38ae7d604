"""API, VPC link, integrations, routes, stage; and the load balancer beside them."""

from __future__ import annotations

import json

import pytest

from serviceconnect.routes import prefixed, preflights, slug
from serviceconnect.settings.gateway import without_names
from tests.constructs.synthesis import Json, Synthesize, address, at, only, reference

# Neither the account's number nor 10 MB for anybody who asks.
ROUTES = ["GET /hostname", "GET /ready"]


def route_keys(stack: Json) -> list[str]:
    return [route["route_key"] for route in stack["resource"]["aws_apigatewayv2_route"].values()]


def test_integration_finds_the_tasks_through_cloud_map(stack: Json) -> None:
    ((name, discovered),) = stack["data"]["aws_service_discovery_service"].items()
    assert discovered["name"] == "serviceconnect"
    assert discovered["namespace_id"] == reference(
        stack, "aws_service_discovery_http_namespace", "cluster/namespace", "id"
    )
    assert discovered["depends_on"] == [address(stack, "terraform_data", "service/rolled-out")]
    integration = only(stack, "aws_apigatewayv2_integration")
    assert integration["integration_uri"] == f"${{data.aws_service_discovery_service.{name}.arn}}"
    assert integration["connection_type"] == "VPC_LINK"
    assert integration["integration_type"] == "HTTP_PROXY"
    assert integration["request_parameters"] == {"overwrite:path": "$request.path"}


def test_integration_times_out_as_service_connect_does(synthesize: Synthesize) -> None:
    assert only(synthesize(request_timeout=25), "aws_apigatewayv2_integration")["timeout_milliseconds"] == 25_000


def test_only_the_services_routes(stack: Json) -> None:
    assert route_keys(stack) == ROUTES


def test_all_routes_of_another_service(synthesize: Synthesize) -> None:
    stack = synthesize(routes=("ANY /{proxy+}", "$default"))
    assert sorted(route_keys(stack)) == ["$default", "ANY /{proxy+}"]


def test_stage(stack: Json, synthesize: Synthesize) -> None:
    stage = only(stack, "aws_apigatewayv2_stage")
    assert (stage["name"], stage["auto_deploy"]) == ("$default", True)
    # API Gateway deletes no stage that a domain's mapping has, so the mapping moves to the new one first.
    assert stage["lifecycle"] == {"create_before_destroy": True}
    api = reference(stack, "aws_apigatewayv2_api", "gateway/api", "api_endpoint")
    assert stack["output"]["gateway_url"]["value"] == api
    assert synthesize(stage="v1")["output"]["gateway_url"]["value"] == f"{api}/v1"


def test_access_log(stack: Json) -> None:
    log = only(stack, "aws_apigatewayv2_stage")["access_log_settings"]
    assert log["destination_arn"] == reference(stack, "aws_cloudwatch_log_group", "logs/access", "arn")
    written = json.loads(log["format"])
    assert written["status"] == "$context.status"
    assert written["integrationError"] == "$context.integration.error"
    assert written["integrationLatency"] == "$context.integration.latency"


def test_throttling(synthesize: Synthesize) -> None:
    stack = synthesize(throttle_rate=50, throttle_burst=20)
    assert only(stack, "aws_apigatewayv2_stage")["default_route_settings"] == {
        "throttling_rate_limit": 50,
        "throttling_burst_limit": 20,
    }


def test_authorization(stack: Json, synthesize: Synthesize) -> None:
    def kinds(stack: Json) -> set[str]:
        return {route["authorization_type"] for route in stack["resource"]["aws_apigatewayv2_route"].values()}

    assert kinds(stack) == {"NONE"}
    assert kinds(synthesize(authorization="AWS_IAM")) == {"AWS_IAM"}
    jwt = synthesize(
        authorization="JWT", jwt_issuer="https://issuer.example.com", jwt_audience=("one", "two"), comparison=True
    )
    assert kinds(jwt) == {"JWT"}
    assert only(jwt, "aws_apigatewayv2_authorizer")["jwt_configuration"] == {
        "issuer": "https://issuer.example.com",
        "audience": ["one", "two"],
    }
    authorizer = reference(jwt, "aws_apigatewayv2_authorizer", "gateway/jwt", "id")
    assert {route["authorizer_id"] for route in jwt["resource"]["aws_apigatewayv2_route"].values()} == {authorizer}


def test_cors(stack: Json, synthesize: Synthesize) -> None:
    assert "cors_configuration" not in only(stack, "aws_apigatewayv2_api")
    cors = synthesize(cors_origins=("https://example.com",), cors_methods=("GET", "POST"), cors_headers=("x-a",))
    assert only(cors, "aws_apigatewayv2_api")["cors_configuration"] == {
        "allow_origins": ["https://example.com"],
        "allow_methods": ["GET", "POST"],
        "allow_headers": ["x-a"],
    }


def test_preflights_need_no_authorization(synthesize: Synthesize) -> None:
    stack = synthesize(
        authorization="JWT",
        jwt_issuer="https://issuer.example.com",
        jwt_audience=("one",),
        cors_origins=("https://example.com",),
        comparison=True,
        routes=("GET /a", "ANY /users/{id}", "$default", "OPTIONS /users/{id}"),
    )
    routes = {route["route_key"]: route for route in stack["resource"]["aws_apigatewayv2_route"].values()}
    open_ = {key for key, route in routes.items() if route["authorization_type"] == "NONE"}
    assert open_ == {"OPTIONS /{proxy+}", "OPTIONS /", "OPTIONS /alb/{proxy+}"}
    assert not any("authorizer_id" in routes[key] for key in open_)
    assert routes["OPTIONS /{proxy+}"]["target"] == routes["$default"]["target"]
    assert routes["OPTIONS /alb/{proxy+}"]["target"] == routes["ANY /alb/{proxy+}"]["target"]


@pytest.mark.parametrize("chosen", [{"authorization": "AWS_IAM"}, {"cors_origins": ("*",)}])
def test_no_routes_for_preflights_without_need(synthesize: Synthesize, chosen: dict[str, object]) -> None:
    assert sorted(route_keys(synthesize(routes=("ANY /a", "$default"), **chosen))) == ["$default", "ANY /a"]


@pytest.mark.parametrize(
    ("keys", "opened"),
    [
        (["GET /a", "POST /a"], {}),
        (["ANY /", "ANY /a/{id}"], {"OPTIONS /": "ANY /", "OPTIONS /a/{id}": "ANY /a/{id}"}),
        (["$default"], {"OPTIONS /{proxy+}": "$default", "OPTIONS /": "$default"}),
        (["$default", "ANY /{proxy+}", "OPTIONS /"], {"OPTIONS /{proxy+}": "$default"}),
        (["ANY /{proxy+}", "$default"], {"OPTIONS /{proxy+}": "ANY /{proxy+}", "OPTIONS /": "$default"}),
    ],
)
def test_preflights(keys: list[str], opened: dict[str, str]) -> None:
    assert {preflight: key for key, preflight in preflights(keys)} == opened


def test_custom_domain(everything: Json) -> None:
    domain = only(everything, "aws_apigatewayv2_domain_name")
    assert domain["domain_name_configuration"] == {
        "certificate_arn": "arn:aws:acm:eu-west-2:123456789012:certificate/0a1b2c3d",
        "endpoint_type": "REGIONAL",
        "security_policy": "TLS_1_2",
        "ip_address_type": "dualstack",
    }
    assert domain["mutual_tls_authentication"] == {"truststore_uri": "s3://authorities/clients.pem"}
    assert only(everything, "aws_apigatewayv2_api_mapping")["stage"] == reference(
        everything, "aws_apigatewayv2_stage", "gateway/stage", "id"
    )


def test_a_domain_may_have_its_record_and_be_the_only_address(everything: Json) -> None:
    domain = reference(everything, "aws_apigatewayv2_domain_name", "gateway/domain", "domain_name_configuration")
    target, zone = (f"{domain[:-1]}[0].{name}}}" for name in ("target_domain_name", "hosted_zone_id"))
    records = everything["resource"]["aws_route53_record"].values()
    assert {record["type"] for record in records} == {"A", "AAAA"}
    for record in records:
        assert (record["zone_id"], record["name"]) == ("Z0123456789ABCDEFGHIJ", "api.example.com")
        assert record["alias"] == {"name": target, "zone_id": zone, "evaluate_target_health": False}
    assert everything["output"]["domain_target"]["value"] == target
    assert everything["output"]["domain_hosted_zone_id"]["value"] == zone
    assert only(everything, "aws_apigatewayv2_api")["disable_execute_api_endpoint"] is True


def test_a_domain_alone_makes_no_record_and_leaves_the_default_endpoint(stack: Json, synthesize: Synthesize) -> None:
    certificate = "arn:aws:acm:eu-west-2:123456789012:certificate/0a1b2c3d"
    with_domain = synthesize(domain_name="api.example.com", certificate_arn=certificate)
    assert "aws_route53_record" not in with_domain["resource"]
    domain = only(with_domain, "aws_apigatewayv2_domain_name")
    assert domain["domain_name_configuration"]["ip_address_type"] == "ipv4"
    assert "mutual_tls_authentication" not in domain
    for each in (stack, with_domain):
        assert "disable_execute_api_endpoint" not in only(each, "aws_apigatewayv2_api")


def test_no_load_balancer_by_default(stack: Json) -> None:
    assert not [kind for kind in stack["resource"] if kind.startswith("aws_lb")]


def test_comparison_puts_a_load_balancer_before_the_same_tasks(synthesize: Synthesize) -> None:
    stack = synthesize(comparison=True, comparison_health_path="/health")
    balancer = only(stack, "aws_lb")
    assert balancer["internal"] is True
    assert balancer["drop_invalid_header_fields"] is True
    target_group = only(stack, "aws_lb_target_group")
    assert (target_group["target_type"], target_group["port"]) == ("ip", 8080)
    assert target_group["health_check"]["path"] == "/health"
    (registered,) = only(stack, "aws_ecs_service")["load_balancer"]
    assert registered["target_group_arn"] == reference(stack, "aws_lb_target_group", "comparison/targets", "arn")
    assert address(stack, "aws_lb_listener", "comparison/listener") in only(stack, "aws_ecs_service")["depends_on"]
    alb = reference(stack, "aws_security_group", "comparison/alb", "id")
    tasks = reference(stack, "aws_security_group", "network/tasks", "id")
    admitted = at(stack, "aws_vpc_security_group_ingress_rule", "comparison/targets-in")
    assert (admitted["security_group_id"], admitted["referenced_security_group_id"]) == (tasks, alb)


def test_comparison_has_the_same_routes_under_alb(synthesize: Synthesize) -> None:
    stack = synthesize(comparison=True)
    assert sorted(route_keys(stack)) == sorted([*ROUTES, *(route.replace("/", "/alb/") for route in ROUTES)])
    integration = at(stack, "aws_apigatewayv2_integration", "gateway/alb-GET-hostname")
    assert integration["integration_uri"] == reference(stack, "aws_lb_listener", "comparison/listener", "arn")
    assert integration["request_parameters"] == {"overwrite:path": "/hostname"}
    api = reference(stack, "aws_apigatewayv2_api", "gateway/api", "api_endpoint")
    assert stack["output"]["comparison_url"]["value"] == f"{api}/alb"


def test_comparison_has_each_route_once(synthesize: Synthesize) -> None:
    stack = synthesize(comparison=True, routes=("ANY /{proxy+}", "$default"))
    assert sorted(route_keys(stack)) == ["$default", "ANY /alb/{proxy+}", "ANY /{proxy+}"]


@pytest.mark.parametrize(
    ("route", "key", "path"),
    [
        ("GET /hostname", "GET /alb/hostname", "/hostname"),
        ("GET /", "GET /alb", "/"),
        ("POST /users/{id}/orders", "POST /alb/users/{id}/orders", "/users/$request.path.id/orders"),
        ("ANY /{proxy+}", "ANY /alb/{proxy+}", "/$request.path.proxy"),
        ("$default", "ANY /alb/{proxy+}", "/$request.path.proxy"),
    ],
)
def test_prefixed(route: str, key: str, path: str) -> None:
    assert prefixed(route) == (key, path)


def test_a_variable_of_another_name_changes_the_route_in_place(synthesize: Synthesize) -> None:
    before, after = (synthesize(routes=(f"GET /orders/{{{name}}}",), comparison=True) for name in ("id", "orderId"))
    for kind in ("aws_apigatewayv2_route", "aws_apigatewayv2_integration"):
        assert before["resource"][kind].keys() == after["resource"][kind].keys()
    assert sorted(route_keys(after)) == ["GET /alb/orders/{orderId}", "GET /orders/{orderId}"]


def test_greedy_routes_of_other_names_are_one_under_a_prefix_and_for_preflights(synthesize: Synthesize) -> None:
    stack = synthesize(
        comparison=True, routes=("ANY /{path+}", "$default"), authorization="AWS_IAM", cors_origins=("*",)
    )
    keys = route_keys(stack)
    assert len({without_names(key) for key in keys}) == len(keys) == 6


def test_slugs_differ_where_routes_do() -> None:
    routes = [
        "GET /a/b",
        "GET /a-b",
        "GET /a--b",
        "GET /a_b",
        "GET /{a}/b",
        "GET /{a+}",
        "ANY /a/b",
        "GET /",
        "$default",
    ]
    assert len({slug(route) for route in routes}) == len(routes)
    assert slug("GET /hostname") == "GET-hostname"
