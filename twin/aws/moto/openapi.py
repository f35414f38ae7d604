"""An OpenAPI definition as API Gateway reads it into an HTTP API: routes, private integrations, JWT authorizers, CORS.

Sources: the API reference (ImportApi, ReimportApi), and the developer guide's pages on OpenAPI for HTTP APIs and on
API Gateway's extensions (x-amazon-apigateway-integration, -integrations, -any-method, -authorizer, -cors).
Assumed: an operation without an integration makes no route; stages and their settings are not of the definition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml  # type: ignore[import-untyped]  # moto brings it; its stubs are not worth a package of their own
from moto.apigatewayv2.exceptions import BadRequestException

from twin.aws.moto.route_keys import route_key_fault, without_names

__all__ = ["apply", "parse"]

Json = Mapping[str, Any]

_VERBS = {verb: verb.upper() for verb in ("delete", "get", "head", "options", "patch", "post", "put")}
_VERBS["x-amazon-apigateway-any-method"] = "ANY"
_AUTHORIZATION = {"JWT": "JWT", "REQUEST": "CUSTOM"}  # of a route, by the type of its authorizer


def parse(text: str | None) -> Json:
    """The definition in *text*, JSON or YAML.

    Raises:
        BadRequestException: it is none of OpenAPI 3, a route is none of an HTTP API, or a reference leads nowhere.
    """
    try:
        body = yaml.safe_load(text or "")
    except yaml.YAMLError as error:
        raise BadRequestException(f"Unable to parse the API definition: {' '.join(str(error).split())}") from None
    if not isinstance(body, dict) or not str(body.get("openapi", "")).startswith("3."):
        raise BadRequestException("Unable to parse the API definition: it has no openapi of version 3")
    seen: dict[str, str] = {}
    for key, operation in _operations(body).items():
        if fault := route_key_fault(key):
            raise BadRequestException(f"The route key {key} is not formatted properly for HTTP protocol: {fault}")
        if (other := seen.setdefault(without_names(key), key)) and other != key:
            raise BadRequestException(f"The routes {other} and {key} match the same requests")
        _integration(body, operation)
    return body


def apply(api: Any, body: Json) -> None:
    """Make *api*, moto's, what *body* defines."""
    for old in (api.authorizers, api.integrations, api.models, api.routes):
        old.clear()
    info = body.get("info") or {}
    api.name, api.version = info.get("title", api.name), str(info.get("version", ""))
    api.description = info.get("description", "")
    api.cors_configuration = body.get("x-amazon-apigateway-cors")
    authorizers = _authorizers(api, body)
    for key, operation in _operations(body).items():
        definition = _integration(body, operation)
        if definition is None:
            continue
        integration = api.create_integration(
            connection_type=definition.get("connectionType", "INTERNET"),
            connection_id=definition.get("connectionId"),
            credentials_arn=definition.get("credentials"),
            description="",
            integration_method=definition.get("httpMethod", "ANY"),
            integration_subtype=definition.get("integrationSubtype"),
            integration_type=str(definition.get("type", "")).upper(),
            integration_uri=definition.get("uri"),
            payload_format_version=str(definition.get("payloadFormatVersion", "1.0")),
            request_parameters=definition.get("requestParameters"),
            response_parameters=definition.get("responseParameters"),
            timeout_in_millis=definition.get("timeoutInMillis"),
            tls_config=definition.get("tlsConfig"),
        )
        kind, authorizer, scopes = "NONE", None, []
        for name, asked in ((operation.get("security") or body.get("security") or [{}])[0]).items():
            if name in authorizers:
                kind, authorizer, scopes = *authorizers[name], asked
        api.create_route(
            api_key_required=False,
            authorization_scopes=scopes,
            authorization_type=kind,
            authorizer_id=authorizer,
            operation_name=operation.get("operationId"),
            route_key=key,
            target=f"integrations/{integration.id}",
        )


def _operations(body: Json) -> dict[str, Json]:
    """The operations of *body* by their route keys."""
    return {
        "$default" if path == "/$default" else f"{_VERBS[verb]} {path}": operation
        for path, item in (body.get("paths") or {}).items()
        for verb, operation in (item or {}).items()
        if verb in _VERBS
    }


def _authorizers(api: Any, body: Json) -> dict[str, tuple[str, str]]:
    """Make those of *body*; for each name the authorization type of its routes, and its id."""
    found = {}
    for name, scheme in ((body.get("components") or {}).get("securitySchemes") or {}).items():
        definition = scheme.get("x-amazon-apigateway-authorizer")
        if definition is None:
            continue
        kind, source = str(definition.get("type", "")).upper(), definition.get("identitySource")
        made = api.create_authorizer(
            auth_creds_arn=definition.get("authorizerCredentials"),
            auth_payload_format_version=definition.get("authorizerPayloadFormatVersion"),
            auth_result_ttl=definition.get("authorizerResultTtlInSeconds"),
            authorizer_type=kind,
            authorizer_uri=definition.get("authorizerUri"),
            enable_simple_response=definition.get("enableSimpleResponses"),
            identity_source=[source] if isinstance(source, str) else source,
            identity_validation_expr=definition.get("identityValidationExpression"),
            jwt_config=definition.get("jwtConfiguration"),
            name=name,
        )
        found[name] = (_AUTHORIZATION.get(kind, "NONE"), made.id)
    return found


def _integration(body: Json, operation: Json) -> Json | None:
    """That of *operation*, or what its $ref within *body* leads to."""
    item = operation.get("x-amazon-apigateway-integration")
    if item is None or "$ref" not in item:
        return item
    found: Any = body
    for step in str(item["$ref"]).removeprefix("#/").split("/"):
        found = found.get(step) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        raise BadRequestException(f"The reference {item['$ref']} leads to nothing in the API definition")
    return found
