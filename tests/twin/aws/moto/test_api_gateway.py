"""API Gateway's own API: what the stack and its users ask of it, and what AWS refuses; boto3 asks."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from tests.twin.aws.moto.conftest import REGION, Client
from twin.aws.moto.route_keys import route_key_fault, without_names


@pytest.fixture
def gateway(client: Client) -> Any:
    return client("apigatewayv2")


@pytest.fixture
def api(gateway: Any) -> str:
    return str(gateway.create_api(Name="shop", ProtocolType="HTTP")["ApiId"])


def refusal(call: Any, **request: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as error:
        call(**request)
    response = error.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"]


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("GET /metrics/", "end with /"),
        ("GET /a//b", "empty"),
        ("GET /a/{id}/b/{id}", "variable id is there twice"),
        ("GET /{proxy+}/a", "greedy variable must be the last"),
        ("GET /a/{", "written"),
        ("GET a", "begins with /"),
        ("FETCH /a", "ANY, DELETE, GET"),
        ("$connect", "must be \\$default"),
    ],
)
def test_a_route_key_that_is_none_is_a_bad_request(gateway: Any, api: str, key: str, why: str) -> None:
    status, code, message = refusal(gateway.create_route, ApiId=api, RouteKey=key)

    assert (status, code) == (400, "BadRequestException")
    assert why.replace("\\", "") in message


@pytest.mark.parametrize("key", ["$default", "GET /", "ANY /{proxy+}", "GET /a/{id}/b/{item}", "POST /a-b/c.d"])
def test_a_route_key_of_an_http_api_is_accepted(gateway: Any, api: str, key: str) -> None:
    assert gateway.create_route(ApiId=api, RouteKey=key)["RouteKey"] == key


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("GET /orders/{id}", "GET /orders/{id}", "already exists"),
        ("GET /orders/{id}", "GET /orders/{orderId}", "conflicting variable on the same hierarchical level"),
        ("ANY /{proxy+}", "ANY /{rest+}", "conflicting variable on the same hierarchical level"),
    ],
)
def test_two_routes_that_match_the_same_requests_conflict(
    gateway: Any, api: str, first: str, second: str, message: str
) -> None:
    made = gateway.create_route(ApiId=api, RouteKey=first)
    status, code, text = refusal(gateway.create_route, ApiId=api, RouteKey=second)

    assert (status, code) == (409, "ConflictException")
    assert message in text
    # The route itself may be renamed, also to what it is.
    assert gateway.update_route(ApiId=api, RouteId=made["RouteId"], RouteKey=second)["RouteKey"] == second


@pytest.mark.parametrize("second", ["POST /orders/{orderId}", "GET /orders/{orderId}/items", "GET /orders/{proxy+}"])
def test_routes_that_match_other_requests_do_not(gateway: Any, api: str, second: str) -> None:
    gateway.create_route(ApiId=api, RouteKey="GET /orders/{id}")
    gateway.create_route(ApiId=api, RouteKey=second)

    keys = {route["RouteKey"] for route in gateway.get_routes(ApiId=api)["Items"]}
    assert keys >= {"GET /orders/{id}", second}


SEGMENTS = st.lists(st.sampled_from(["a", "b", "{x}", "{y}"]), min_size=1, max_size=4, unique=True)


@given(SEGMENTS)
def test_a_key_conflicts_with_itself_under_other_names_alone(segments: list[str]) -> None:
    key = "GET /" + "/".join(segments)
    renamed = key.replace("{x}", "{name}")

    assert route_key_fault(key) is None
    assert without_names(key) == without_names(renamed)
    assert without_names(key) != without_names(key + "/more")


@pytest.mark.parametrize("timeout", [49, 30_001])
def test_an_integrations_timeout_has_bounds(gateway: Any, api: str, timeout: int) -> None:
    integration = {"ApiId": api, "IntegrationType": "HTTP_PROXY", "IntegrationMethod": "ANY"}
    uri = "https://example.com"
    made = gateway.create_integration(**integration, IntegrationUri=uri, TimeoutInMillis=30_000)
    update = {"ApiId": api, "IntegrationId": made["IntegrationId"], "TimeoutInMillis": timeout}

    for call, request in (
        (gateway.create_integration, {**integration, "IntegrationUri": uri, "TimeoutInMillis": timeout}),
        (gateway.update_integration, update),
    ):
        assert refusal(call, **request)[:2] == (400, "BadRequestException")
    assert gateway.get_integration(ApiId=api, IntegrationId=made["IntegrationId"])["TimeoutInMillis"] == 30_000


@pytest.mark.parametrize("name", ["$default", "prod"])
def test_a_stage_has_tags_of_its_own(gateway: Any, api: str, name: str) -> None:
    gateway.create_stage(ApiId=api, StageName=name, Tags={"team": "web", "tier": "front"})
    arn = f"arn:aws:apigateway:{REGION}::/apis/{api}/stages/{name}"

    gateway.tag_resource(ResourceArn=arn, Tags={"team": "till"})
    gateway.untag_resource(ResourceArn=arn, TagKeys=["tier"])

    assert gateway.get_tags(ResourceArn=arn)["Tags"] == {"team": "till"}
    updated = gateway.update_stage(ApiId=api, StageName=name, Description="changed")
    assert (updated["Tags"], updated["Description"]) == ({"team": "till"}, "changed")
    assert gateway.get_tags(ResourceArn=f"arn:aws:apigateway:{REGION}::/apis/{api}")["Tags"] == {}


@pytest.mark.parametrize("name", ["$default", "prod"])
def test_settings_of_a_stage_are_taken_away(gateway: Any, api: str, name: str) -> None:
    throttle = {"ThrottlingRateLimit": 5.0, "ThrottlingBurstLimit": 5}
    log = {"DestinationArn": f"arn:aws:logs:{REGION}:123456789012:log-group:api", "Format": "$context.requestId"}
    keys = ["GET /orders/{id}", "$default"]
    gateway.create_stage(
        ApiId=api, StageName=name, RouteSettings=dict.fromkeys(keys, throttle), AccessLogSettings=log, Tags={"a": "b"}
    )

    gateway.delete_route_settings(ApiId=api, StageName=name, RouteKey=keys[0])
    gateway.delete_access_log_settings(ApiId=api, StageName=name)

    stage = gateway.get_stage(ApiId=api, StageName=name)
    assert (list(stage["RouteSettings"]), stage.get("AccessLogSettings"), stage["Tags"]) == (keys[1:], None, {"a": "b"})
    again = refusal(gateway.delete_route_settings, ApiId=api, StageName=name, RouteKey=keys[0])
    assert again[:2] == (404, "NotFoundException")


def test_models_are_listed(gateway: Any, api: str) -> None:
    assert gateway.get_models(ApiId=api)["Items"] == []
    gateway.create_model(ApiId=api, Name="order", Schema="{}", ContentType="application/json")
    assert [model["Name"] for model in gateway.get_models(ApiId=api)["Items"]] == ["order"]


def test_a_stage_that_is_not_there_is_not_found(gateway: Any, api: str) -> None:
    arn = f"arn:aws:apigateway:{REGION}::/apis/{api}/stages/nope"

    assert refusal(gateway.get_tags, ResourceArn=arn)[:2] == (404, "NotFoundException")
    assert refusal(gateway.update_stage, ApiId=api, StageName="nope")[:2] == (404, "NotFoundException")


def test_authorizers_are_listed(gateway: Any, api: str) -> None:
    made = gateway.create_authorizer(
        ApiId=api,
        Name="jwt",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": "https://issuer.example.com", "Audience": ["shop"]},
    )

    (listed,) = gateway.get_authorizers(ApiId=api)["Items"]
    assert (listed["AuthorizerId"], listed["Name"]) == (made["AuthorizerId"], "jwt")


def test_deployments_are_made_and_listed(gateway: Any, api: str) -> None:
    assert gateway.get_deployments(ApiId=api)["Items"] == []
    made = gateway.create_deployment(ApiId=api, Description="first")

    (listed,) = gateway.get_deployments(ApiId=api)["Items"]
    assert listed["DeploymentId"] == made["DeploymentId"]
    assert gateway.get_deployment(ApiId=api, DeploymentId=made["DeploymentId"])["Description"] == "first"
    gateway.create_stage(ApiId=api, StageName="v1", DeploymentId=made["DeploymentId"])
    assert gateway.get_stage(ApiId=api, StageName="v1")["DeploymentId"] == made["DeploymentId"]
    gateway.delete_deployment(ApiId=api, DeploymentId=made["DeploymentId"])
    assert gateway.get_deployments(ApiId=api)["Items"] == []


def test_routes_of_an_http_api_have_no_responses(gateway: Any, api: str) -> None:
    route = gateway.create_route(ApiId=api, RouteKey="GET /a")["RouteId"]

    assert gateway.get_route_responses(ApiId=api, RouteId=route)["Items"] == []
