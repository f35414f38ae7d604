"""How requests come in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from serviceconnect.settings.common import CommonSettings
from serviceconnect.settings.field import between, each, matches, one_of, optional, setting

__all__ = ["COMPARISON_PREFIX", "VARIABLE", "GatewaySettings", "conflicts", "refused_routes", "without_names"]

COMPARISON_PREFIX = "/alb"

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "ANY")
_SEGMENT = r"[^/{}\s]+|\{[\w.-]+\}"
# Without a slash at the end, which API Gateway refuses.
_ROUTE = rf"\$default|({'|'.join(METHODS)}) (/|(/({_SEGMENT}))+|(/({_SEGMENT}))*/\{{[\w.-]+\+\}})"
VARIABLE = re.compile(r"\{(?P<name>[\w.-]+)(?P<greedy>\+?)\}")


@dataclass(frozen=True, kw_only=True)
class GatewaySettings(CommonSettings):
    """An HTTP API in front of the service, and a load balancer beside it for comparison."""

    routes: tuple[str, ...] = setting(
        # What anybody may ask, since authorization is off: docs/decisions/0009-what-anybody-may-ask.md
        ("GET /hostname", "GET /ready"),
        "Routes of the API; `ANY /{proxy+}` for all of another service's. `app/` has `GET /identity` too (with the"
        " account's number), and `GET /payload` (up to 10 MB).",
        each(_ROUTE, "routes such as GET /hostname, ANY /{proxy+} or $default, without a slash at the end"),
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
    ip_address_type: str = setting(
        "ipv4",
        "Addresses of `domain_name`; with `dualstack` it has IPv6 too, and the stack's record is an AAAA as well.",
        one_of(("ipv4", "dualstack")),
    )
    mutual_tls_truststore: str = setting(
        "",
        "Certificate authorities whose clients alone may call `domain_name`: a PEM file in S3. Empty: no mutual TLS.",
        optional(matches(r"s3://[a-z0-9][a-z0-9.-]+/[^\s{}]+", "an object such as s3://bucket/authorities.pem")),
    )
    disable_default_endpoint: bool = setting(
        False, "Whether the API answers at `domain_name` alone, and no longer at its execute-api address."
    )
    # Below the account's own limit in every Region, which API Gateway does not let a stage exceed: 2,500 and 1,250 in
    # newer ones. https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
    throttle_rate: int = setting(1000, "Requests a second, above which API Gateway answers 429.", between(1, 100_000))
    throttle_burst: int = setting(500, "Requests at once, above which API Gateway answers 429.", between(1, 100_000))
    comparison: bool = setting(
        False, "An internal load balancer before the same tasks, with the same routes under `/alb`."
    )
    comparison_health_path: str = setting(
        "/ready", "Path of the load balancer's health check.", matches(r"/[^\s{}]*", "a path such as /ready")
    )


def without_names(route: str) -> str:
    """*route* with the names of its variables left out, as ``GET /users/{}``: no two of an API may share that."""
    return VARIABLE.sub(r"{\g<greedy>}", route)


def refused_routes(routes: Sequence[str], comparison: bool) -> Iterator[str]:
    """Routes of one API that API Gateway refuses, a sentence each: half-way through a deployment, unless said before.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
    Assumed: other names of variables below a common path do not conflict.
    """
    if len(set(routes)) != len(routes) or not routes:
        yield f"routes = {', '.join(routes)} must be one or more, each of them once."
    first: dict[str, str] = {}
    for route in dict.fromkeys(routes):
        names = Counter(found["name"] for found in VARIABLE.finditer(route))
        for name in (name for name, times in names.items() if times > 1):
            yield f"routes = {route} must name each of its variables once, and {name} is there {names[name]} times."
        before = first.setdefault(without_names(route), route)
        if before != route:
            yield (
                f"routes = {before}, {route} must differ in more than a variable's name: API Gateway answers the second"
                " with 409 ConflictException. Leave one of them out."
            )
    under = [route for route in routes if f"{route.partition(' ')[2]}/".startswith(f"{COMPARISON_PREFIX}/")]
    if comparison and under:
        yield f"routes = {', '.join(under)} must not be under {COMPARISON_PREFIX}, which is the comparison's."


def conflicts(settings: GatewaySettings) -> Iterator[str]:
    """What does not fit together, a sentence each."""
    yield from refused_routes(settings.routes, settings.comparison)
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
    if settings.mutual_tls_truststore and not settings.disable_default_endpoint:
        yield (
            f"mutual_tls_truststore = {settings.mutual_tls_truststore} needs disable_default_endpoint = true: clients"
            " without a certificate would come by the execute-api address."
        )
    if settings.ip_address_type == "dualstack" and not settings.domain_name:
        yield f"ip_address_type = {settings.ip_address_type} needs domain_name: the addresses are its."
    if settings.hosted_zone_id and not settings.domain_name:
        yield f"hosted_zone_id = {settings.hosted_zone_id} needs domain_name: the record is its."
