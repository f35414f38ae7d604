"""HTTP APIs from OpenAPI definitions, as `body` of a Terraform resource brings them; boto3 asks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.twin.aws.moto.conftest import Client

SERVICE = "arn:aws:servicediscovery:eu-west-1:123456789012:service/srv-1"
DEFINITION = f"""
openapi: 3.0.1
info: {{title: shop, version: 2.1, description: orders and more}}
paths:
  /orders/{{id}}:
    parameters:
    - {{name: id, in: path, required: true, schema: {{type: string}}}}
    get:
      operationId: order
      security: [{{people: [orders:read]}}]
      responses: {{default: {{description: any}}}}
      x-amazon-apigateway-integration: {{$ref: "#/components/x-amazon-apigateway-integrations/orders"}}
    head:
      responses: {{default: {{description: any}}}}
  /$default:
    x-amazon-apigateway-any-method:
      isDefaultRoute: true
      x-amazon-apigateway-integration: {{$ref: "#/components/x-amazon-apigateway-integrations/orders"}}
components:
  securitySchemes:
    people:
      type: oauth2
      x-amazon-apigateway-authorizer:
        type: jwt
        identitySource: $request.header.Authorization
        jwtConfiguration: {{issuer: "https://issuer.example", audience: [shop]}}
  x-amazon-apigateway-integrations:
    orders:
      type: http_proxy
      httpMethod: ANY
      uri: {SERVICE}
      connectionType: VPC_LINK
      connectionId: abc123
      payloadFormatVersion: "1.0"
      timeoutInMillis: 5000
      requestParameters: {{"overwrite:path": "/v1/$request.path.id"}}
x-amazon-apigateway-cors: {{allowOrigins: ["https://shop.example"]}}
"""


@pytest.fixture
def gateway(client: Client) -> Any:
    return client("apigatewayv2")


def test_a_definition_brings_routes_integrations_authorizers_and_cors(gateway: Any) -> None:
    api = gateway.import_api(Body=DEFINITION)

    assert (api["Name"], api["Version"], api["Description"]) == ("shop", "2.1", "orders and more")
    assert api["CorsConfiguration"] == {"AllowOrigins": ["https://shop.example"]}
    routes = {route["RouteKey"]: route for route in gateway.get_routes(ApiId=api["ApiId"])["Items"]}
    assert routes.keys() == {"GET /orders/{id}", "$default"}
    [authorizer] = gateway.get_authorizers(ApiId=api["ApiId"])["Items"]
    assert authorizer["JwtConfiguration"] == {"Audience": ["shop"], "Issuer": "https://issuer.example"}
    order = routes["GET /orders/{id}"]
    assert (order["AuthorizationType"], order["AuthorizationScopes"]) == ("JWT", ["orders:read"])
    assert order["AuthorizerId"] == authorizer["AuthorizerId"]
    assert routes["$default"]["AuthorizationType"] == "NONE"
    integration = gateway.get_integration(
        ApiId=api["ApiId"], IntegrationId=order["Target"].removeprefix("integrations/")
    )
    assert integration["IntegrationType"] == "HTTP_PROXY"
    assert (integration["ConnectionType"], integration["ConnectionId"]) == ("VPC_LINK", "abc123")
    assert (integration["IntegrationUri"], integration["TimeoutInMillis"]) == (SERVICE, 5000)
    assert integration["RequestParameters"] == {"overwrite:path": "/v1/$request.path.id"}


def test_a_definition_replaces_what_an_api_had_but_its_stages(gateway: Any) -> None:
    api = gateway.create_api(Name="old", ProtocolType="HTTP")["ApiId"]
    gateway.create_stage(ApiId=api, StageName="$default")
    gateway.create_route(ApiId=api, RouteKey="GET /old")

    gateway.reimport_api(ApiId=api, Body=json.dumps({"openapi": "3.0.1", "info": {"title": "new", "version": "1"}}))

    assert gateway.get_api(ApiId=api)["Name"] == "new"
    assert gateway.get_routes(ApiId=api)["Items"] == []
    assert [stage["StageName"] for stage in gateway.get_stages(ApiId=api)["Items"]] == ["$default"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("{", "Unable to parse"),
        ("swagger: '2.0'", "no openapi of version 3"),
        ("{openapi: 3.0.1, paths: {/a/: {get: {}}}}", "cannot end with /"),
        ("{openapi: 3.0.1, paths: {'/a/{b}': {get: {}}, '/a/{c}': {get: {}}}}", "GET /a/{b} and GET /a/{c}"),
        ("{openapi: 3.0.1, paths: {/a: {get: {x-amazon-apigateway-integration: {$ref: '#/b'}}}}}", "#/b leads to"),
    ],
)
def test_a_definition_that_is_none_changes_nothing(gateway: Any, body: str, why: str) -> None:
    api = gateway.create_api(Name="old", ProtocolType="HTTP")["ApiId"]
    gateway.create_route(ApiId=api, RouteKey="GET /old")

    with pytest.raises(ClientError, match="BadRequestException") as refused:
        gateway.reimport_api(ApiId=api, Body=body)

    assert why in str(refused.value)
    assert [route["RouteKey"] for route in gateway.get_routes(ApiId=api)["Items"]] == ["GET /old"]
