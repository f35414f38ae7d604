"""How requests come in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from serviceconnect.settings.common import CommonSettings
from serviceconnect.settings.field import between, each, matches, one_of, optional, setting

__all__ = ["COMPARISON_PREFIX", "GatewaySettings", "conflicts"]

COMPARISON_PREFIX = "/alb"

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "ANY")
_SEGMENT = r"[^/{}\s]+|\{[\w.-]+\}"
_ROUTE = rf"\$default|({'|'.join(METHODS)}) (/|(/({_SEGMENT}))+/?|(/({_SEGMENT}))*/\{{[\w.-]+\+\}})"


@dataclass(frozen=True, kw_only=True)
class GatewaySettings(CommonSettings):
    """An HTTP API in front of the service, and a load balancer beside it for comparison."""

    routes: tuple[str, ...] = setting(
        ("GET /hostname", "GET /identity", "GET /payload", "GET /ready"),
        "Routes of the API; `ANY /{proxy+}` for all of another service's.",
        each(_ROUTE, "routes such as GET /hostname, ANY /{proxy+} or $default"),
    )
    stage: str = setting(
        "$default",
        "Stage of the API; any other than `$default` is put before the path.",
        matches(r"\$default|[\w-]{1,128}", "$default or a word"),
    )
    authorization: str = setting("NONE", "Who may call the API.", one_of(("NONE", "AWS_IAM", "JWT")))
    jwt_issuer: str = setting(
        "", "Issuer of the tokens for JWT.", optional(matches(r"https://[^\s{}]+", "an https:// address"))
    )
    jwt_audience: tuple[str, ...] = setting(
        (), "Audiences of the tokens for JWT.", each(r"[^\s{}]+", "audiences without spaces and braces")
    )
    cors_origins: tuple[str, ...] = setting(
        (),
        "Origins that browsers may call from; empty: no CORS.",
        each(r"\*|https?://[^\s/]+", "origins such as https://example.com, or *"),
    )
    cors_methods: tuple[str, ...] = setting(
        ("GET",), "Methods for CORS.", each(rf"\*|{'|'.join(METHODS[:-1])}", "HTTP methods, or *")
    )
    cors_headers: tuple[str, ...] = setting(
        (), "Request headers for CORS.", each(r"\*|[\w-]+", "names of headers, or *")
    )
    domain_name: str = setting(
        "",
        "Domain of the API's own; its DNS record is yours to make, unless `hosted_zone_id` is given.",
        optional(matches(r"([a-z0-9-]+\.)+[a-z]{2,}", "a domain such as api.example.com")),
    )
    certificate_arn: str = setting(
        "",
        "ACM certificate for `domain_name`.",
        optional(matches(r"arn:aws:acm:[a-z0-9-]+:\d{12}:certificate/[^\s{}]+", "an ACM certificate's ARN")),
    )
    hosted_zone_id: str = setting(
        "",
        "Route 53 hosted zone in which the stack makes the alias record of `domain_name`; empty: none is made.",
        optional(matches(r"Z[A-Z0-9]{1,31}", "a hosted zone's id such as Z0123456789ABCDEFGHIJ")),
    )
    disable_default_endpoint: bool = setting(
        False, "Whether the API answers at `domain_name` alone, and no longer at its execute-api address."
    )
    throttle_rate: int = setting(5000, "Requests a second, above which API Gateway answers 429.", between(1, 100_000))
    throttle_burst: int = setting(2500, "Requests at once, above which API Gateway answers 429.", between(1, 100_000))
    comparison: bool = setting(
        False, "An internal load balancer before the same tasks, with the same routes under `/alb`."
    )
    comparison_health_path: str = setting(
        "/ready", "Path of the load balancer's health check.", matches(r"/[^\s{}]*", "a path such as /ready")
    )


def conflicts(settings: GatewaySettings) -> Iterator[str]:
    """What does not fit together, a sentence each."""
    if len(set(settings.routes)) != len(settings.routes) or not settings.routes:
        yield f"routes = {', '.join(settings.routes)} must be one or more, each of them once."
    taken = [route for route in settings.routes if f"{route.partition(' ')[2]}/".startswith(f"{COMPARISON_PREFIX}/")]
    if settings.comparison and taken:
        yield f"routes = {', '.join(taken)} must not be under {COMPARISON_PREFIX}, which is the comparison's."
    if settings.authorization == "JWT" and not (settings.jwt_issuer and settings.jwt_audience):
        yield "authorization = JWT needs jwt_issuer and jwt_audience."
    if settings.authorization != "JWT" and (settings.jwt_issuer or settings.jwt_audience):
        yield f"jwt_issuer and jwt_audience need authorization = JWT, not {settings.authorization}."
    if bool(settings.domain_name) != bool(settings.certificate_arn):
        yield "domain_name and certificate_arn need each other."
    if settings.certificate_arn and settings.certificate_arn.split(":")[3] != settings.region:
        yield f"certificate_arn = {settings.certificate_arn} must be in region = {settings.region}."
    if settings.disable_default_endpoint and not settings.domain_name:
        yield "disable_default_endpoint = true needs domain_name: the API would have no address."
    if settings.hosted_zone_id and not settings.domain_name:
        yield f"hosted_zone_id = {settings.hosted_zone_id} needs domain_name: the record is its."
