"""The APIs, as API Gateway's own API tells them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

from botocore.exceptions import ClientError, ParamValidationError

from twin.aws.client import Aws
from twin.front.http_api.model import (
    Api,
    ApiMapping,
    CloudMapService,
    Cors,
    Integration,
    JwtAuthorizer,
    Listener,
    Route,
    Stage,
    Throttle,
)
from twin.gaps import NO_USE, Gap

__all__ = ["read_apis"]

Json = Mapping[str, Any]

_DEFAULT_TIMEOUT_MS = 30_000  # [apigw quotas]
# An account's own limits [apigw quotas]: for which of the two a stage or route does not give (assumed).
_DEFAULT_RATE, _DEFAULT_BURST = 10_000, 5_000
_ROUTE_KEY = re.compile(r"\$default|[A-Z]+ /.*")
_STAGE_NAME = re.compile(r"\$default|[\w-]+", re.ASCII)
# What `overwrite:path` may be made of here.
_PATH_VARIABLES = re.compile(r"\$\{?request\.path(?:\.[\w-]+)?\}?")


def read_apis(aws: Aws) -> tuple[Api, ...]:
    """The HTTP APIs of the endpoint."""
    mappings = _mappings(aws)
    apis = aws.call("apigatewayv2", "GetApis")["Items"]
    return tuple(
        _Reader(aws, api).api(mappings.get(api["ApiId"], ())) for api in apis if api.get("ProtocolType") == "HTTP"
    )


def _mappings(aws: Aws) -> dict[str, list[ApiMapping]]:
    """What the custom domain names lead to, by the API's id."""
    found: dict[str, list[ApiMapping]] = {}
    for domain in aws.call("apigatewayv2", "GetDomainNames")["Items"]:
        name = domain["DomainName"]
        for item in aws.call("apigatewayv2", "GetApiMappings", DomainName=name)["Items"]:
            mapping = ApiMapping(name.lower(), item.get("ApiMappingKey") or "", item["Stage"])
            found.setdefault(item["ApiId"], []).append(mapping)
    return found


class _Reader:
    def __init__(self, aws: Aws, api: Json) -> None:
        self._aws = aws
        self._api = api
        self._gaps: list[Gap] = []
        # Several integrations may lead to one service, several routes ask one authorizer.
        self._service = cache(self._service_and_namespace)
        self._authorizer = cache(self._jwt_authorizer)

    def api(self, mappings: Iterable[ApiMapping]) -> Api:
        name = self._api.get("Name", self._api["ApiId"])
        if self._api.get("DisableExecuteApiEndpoint"):
            self._gap(f"API {name}", "disabled endpoint", "it is served at its own address all the same")
        integrations = {item["IntegrationId"]: self._integration(item) for item in self._items("GetIntegrations")}
        routes = [self._route(item, integrations) for item in self._items("GetRoutes")]
        stages = [self._stage(item) for item in self._items("GetStages")]
        cors = self._cors(self._api.get("CorsConfiguration") or {})
        return Api(
            tuple(route for route in routes if route),
            tuple(stage for stage in stages if stage),
            cors,
            tuple(self._gaps),
            self._api["ApiId"],
            name,
            tuple(mappings),
        )

    def _gap(self, where: str, what: str, why: str) -> None:
        self._gaps.append(Gap(where, what, why))

    def _items(self, operation: str) -> list[Json]:
        return list(self._aws.call("apigatewayv2", operation, ApiId=self._api["ApiId"])["Items"])

    def _integration(self, item: Json) -> Integration | None:
        target = self._target(item)
        if target is None:
            return None
        name = f"integration {item['IntegrationId']}"
        requests = dict(item.get("RequestParameters") or {})
        path = requests.pop("overwrite:path", None)
        if path is not None and "$" in _PATH_VARIABLES.sub("", path):
            self._gap(name, f"overwrite:path {path}", "only $request.path and its variables are known")
            path = None
        self._gaps += [Gap(name, f"request parameter {parameter}", NO_USE) for parameter in requests]
        if item.get("ResponseParameters"):
            self._gap(name, "response parameters", NO_USE)
        if item.get("IntegrationMethod", "ANY") != "ANY":
            self._gap(name, f"method {item['IntegrationMethod']}", "the client's goes to the service")
        if item.get("TlsConfig"):
            self._gap(name, "TLS", "a load balancer's HTTPS is spoken unchecked; tasks are asked by HTTP")
        timeout = item.get("TimeoutInMillis", _DEFAULT_TIMEOUT_MS) / 1000
        return Integration(item["IntegrationId"], target, timeout, path)

    def _target(self, item: Json) -> CloudMapService | Listener | None:
        """What a private integration leads to; None for any other kind of URI."""
        uri = item.get("IntegrationUri", "")
        arn, _, query = uri.partition("?")
        if ":elasticloadbalancing:" in arn and ":listener/" in arn:
            return Listener(arn)
        if ":servicediscovery:" in arn:
            try:
                service, namespace = self._service(arn)
            except (ClientError, ParamValidationError, LookupError) as error:
                self._gap(f"integration {item['IntegrationId']}", "", f"{uri} is not there ({error})")
                return None
            return CloudMapService(namespace, service, dict(parse_qsl(query)))
        self._gap(f"integration {item['IntegrationId']}", "", f"{uri or item.get('IntegrationType')} is not private")
        return None

    def _service_and_namespace(self, arn: str) -> tuple[str, str]:
        """The names of a Cloud Map service, by its ARN, and of its namespace.

        Raises:
            ClientError, ParamValidationError: botocore's, if one is not there.
            LookupError: the service has no namespace.
        """
        service = self._aws.call("servicediscovery", "GetService", Id=arn.rsplit("/", 1)[-1])["Service"]
        if service.get("Arn", arn) != arn:
            raise LookupError("it is of another account or Region")
        if not (of := service.get("NamespaceId") or (service.get("DnsConfig") or {}).get("NamespaceId")):
            raise LookupError(f"{service['Name']} has no namespace")
        namespace = self._aws.call("servicediscovery", "GetNamespace", Id=of)["Namespace"]
        return service["Name"], namespace["Name"]

    def _jwt_authorizer(self, identifier: str) -> JwtAuthorizer | None:
        try:
            item = self._aws.call("apigatewayv2", "GetAuthorizer", ApiId=self._api["ApiId"], AuthorizerId=identifier)
        except (ClientError, ParamValidationError) as error:
            self._gap(f"authorizer {identifier}", "", f"it is not there ({error})")
            return None
        name, kind = item.get("Name", identifier), item.get("AuthorizerType")
        if kind != "JWT":
            self._gap(f"authorizer {name}", "", f"{kind} is not known")
            return None
        configuration = item.get("JwtConfiguration") or {}
        if not configuration.get("Issuer"):
            self._gap(f"authorizer {name}", "", "it has no issuer")
            return None
        source = (item.get("IdentitySource") or ["$request.header.Authorization"])[0]
        audience = tuple(configuration.get("Audience") or ())
        return JwtAuthorizer(identifier, configuration["Issuer"], audience, source)

    def _route(self, item: Json, integrations: Mapping[str, Integration | None]) -> Route | None:
        key = item.get("RouteKey", "")
        if not _ROUTE_KEY.fullmatch(key):
            self._gap(f"route {key or item.get('RouteId')}", "", "its key is none of an HTTP API")
            return None
        integration = integrations.get((item.get("Target") or "").removeprefix("integrations/"))
        if integration is None:
            self._gap(f"route {key}", "", "its integration is not served")
            return None
        authorization = item.get("AuthorizationType") or "NONE"
        authorizer = None
        if authorization in ("JWT", "CUSTOM"):
            identifier = item.get("AuthorizerId")
            authorizer = self._authorizer(identifier) if identifier else None
            if authorization == "JWT" and authorizer is None:
                told = f"its authorizer {identifier} is not served" if identifier else "it names no authorizer"
                self._gap(f"route {key}", "", f"{told}, so the route is left out")
                return None
        if authorization not in ("NONE", "AWS_IAM", "JWT"):
            self._gap(f"route {key}", "", f"authorization {authorization} is not known, so the route is left out")
            return None
        return Route(key, integration, authorization, authorizer, tuple(item.get("AuthorizationScopes") or ()))

    def _stage(self, item: Json) -> Stage | None:
        name = item.get("StageName", "")
        if not _STAGE_NAME.fullmatch(name):
            self._gap(f"stage {name}", "", "its name is none of a stage")
            return None
        throttles = {key: _throttle(settings) for key, settings in (item.get("RouteSettings") or {}).items()}
        log = item.get("AccessLogSettings") or {}
        return Stage(
            name,
            log.get("Format"),
            _throttle(item.get("DefaultRouteSettings") or {}),
            {key: throttle for key, throttle in throttles.items() if throttle},
            ":".join(log.get("DestinationArn", "").split(":")[4:5]),
        )

    def _cors(self, given: Json) -> Cors | None:
        if not given.get("AllowOrigins"):
            return None
        lists = ("AllowOrigins", "AllowMethods", "AllowHeaders", "ExposeHeaders")
        origins, methods, headers, exposed = (tuple(given.get(name) or ()) for name in lists)
        credentials = bool(given.get("AllowCredentials"))
        return Cors(origins, methods, headers, exposed, given.get("MaxAge"), credentials)


def _throttle(settings: Json) -> Throttle | None:
    rate, burst = settings.get("ThrottlingRateLimit"), settings.get("ThrottlingBurstLimit")
    if rate is None and burst is None:
        return None
    return Throttle(
        _DEFAULT_RATE if rate is None else max(0.0, float(rate)),
        _DEFAULT_BURST if burst is None else max(0, int(burst)),
    )
