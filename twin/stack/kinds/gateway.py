"""API Gateway: HTTP APIs with their domain names, and the VPC link from them to the tasks."""

from __future__ import annotations

from collections.abc import Callable

from twin.aws.client import Aws
from twin.stack.call import Arguments, Attributes, Call

__all__ = ["GATEWAY"]


def _by_key(argument: str, key: str, value: str | None = None) -> Callable[[Arguments], Arguments]:
    """Repeated blocks that the API takes as a map: by the block's *key*, with the rest of it, or its *value* alone."""

    def prepare(arguments: Arguments) -> Arguments:
        blocks = arguments.get(argument) or []
        by_key = {
            block[key]: block[value] if value else {name: item for name, item in block.items() if name != key}
            for block in (blocks if isinstance(blocks, list) else [blocks])
        }
        return {**arguments, argument: by_key or None}

    return prepare


def _invoke_url(aws: Aws, stage: Attributes) -> Attributes:
    path = "" if stage["name"] == "$default" else stage["name"]
    return {"invoke_url": f"https://{stage['api_id']}.execute-api.{aws.region}.amazonaws.com/{path}"}


def _define(aws: Aws, api: Attributes) -> Attributes:
    """Give *api* what its OpenAPI definition says, which wins over the arguments, as at the provider."""
    if body := api.get("body"):
        aws.call("apigatewayv2", "ReimportApi", ApiId=api["id"], Body=body)
    return {}


GATEWAY = {
    "aws_apigatewayv2_api": Call(
        "apigatewayv2",
        "CreateApi",
        answer={"id": "ApiId", "api_endpoint": "ApiEndpoint"},
        derived={
            "arn": "arn:aws:apigateway:{region}::/apis/{id}",
            "execution_arn": "arn:aws:execute-api:{region}:{account_id}:{id}",
        },
        takes=frozenset({"body"}),
        then=_define,
    ),
    "aws_apigatewayv2_api_mapping": Call(
        "apigatewayv2",
        "CreateApiMapping",
        answer={"id": "ApiMappingId"},
    ),
    "aws_apigatewayv2_authorizer": Call(
        "apigatewayv2",
        "CreateAuthorizer",
        rename={"identity_sources": "IdentitySource"},
        answer={"id": "AuthorizerId"},
    ),
    "aws_apigatewayv2_domain_name": Call(
        "apigatewayv2",
        "CreateDomainName",
        derived={"id": "{domain_name}", "arn": "arn:aws:apigateway:{region}::/domainnames/{domain_name}"},
    ),
    "aws_apigatewayv2_integration": Call(
        "apigatewayv2",
        "CreateIntegration",
        rename={"timeout_milliseconds": "TimeoutInMillis"},
        defaults={"connection_type": "INTERNET", "payload_format_version": "1.0"},
        prepare=_by_key("response_parameters", "status_code", "mappings"),
        answer={"id": "IntegrationId"},
    ),
    "aws_apigatewayv2_route": Call(
        "apigatewayv2",
        "CreateRoute",
        defaults={"authorization_type": "NONE"},
        answer={"id": "RouteId"},
    ),
    "aws_apigatewayv2_stage": Call(
        "apigatewayv2",
        "CreateStage",
        rename={"name": "StageName"},
        prepare=_by_key("route_settings", "route_key"),
        derived={
            "id": "{name}",
            "arn": "arn:aws:apigateway:{region}::/apis/{api_id}/stages/{name}",
            "execution_arn": "arn:aws:execute-api:{region}:{account_id}:{api_id}/{name}",
        },
        then=_invoke_url,
    ),
    "aws_apigatewayv2_vpc_link": Call(
        "apigatewayv2",
        "CreateVpcLink",
        answer={"id": "VpcLinkId"},
        derived={"arn": "arn:aws:apigateway:{region}::/vpclinks/{id}"},
    ),
}
