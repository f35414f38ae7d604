"""What the gateway serves: an HTTP API, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from twin.gaps import Gap

__all__ = [
    "Api",
    "ApiMapping",
    "CloudMapService",
    "Cors",
    "Integration",
    "JwtAuthorizer",
    "Listener",
    "Route",
    "Stage",
    "Throttle",
]

_VARIABLE, _GREEDY = 1, 2  # kinds of a segment, after 0, a literal


@dataclass(frozen=True)
class CloudMapService:
    """A service whose instances DiscoverInstances finds; *query*: attributes that they must have."""

    namespace: str
    name: str
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Listener:
    """A listener of a load balancer."""

    arn: str


@dataclass(frozen=True)
class Integration:
    """A private integration: what serves it, its timeout in seconds, and the path that it sends.

    *path* is the value of the request parameter `overwrite:path`, such as `$request.path`; None: there is none.
    """

    id: str
    target: CloudMapService | Listener
    timeout: float
    path: str | None = None


@dataclass(frozen=True)
class JwtAuthorizer:
    """Who may call with which token; *identity_source* such as `$request.header.Authorization`."""

    id: str
    issuer: str
    audience: tuple[str, ...]
    identity_source: str


@dataclass(frozen=True)
class Route:
    """A route key, such as `GET /hostname`, `ANY /{proxy+}` or `$default`, and where it goes.

    *authorization* is NONE, AWS_IAM or JWT; the *authorizer* and its *scopes* belong to JWT.
    """

    key: str
    integration: Integration
    authorization: str = "NONE"
    authorizer: JwtAuthorizer | None = None
    scopes: tuple[str, ...] = ()

    @property
    def method(self) -> str:
        return self.key.split(" ", 1)[0]

    @property
    def path(self) -> str:
        return self.key.split(" ", 1)[1] if " " in self.key else ""

    @property
    def specificity(self) -> tuple[tuple[int, ...], bool]:
        """Sorts the more specific route first: segment by segment a literal, a variable, a greedy one; then the method.

        That a segment further left counts more is assumed.
        """
        if self.key == "$default":
            return (_GREEDY + 1,), True
        kinds = (_GREEDY if "+}" in s else _VARIABLE if "{" in s else 0 for s in self.path.split("/")[1:])
        return tuple(kinds), self.method == "ANY"


@dataclass(frozen=True)
class Throttle:
    """A token bucket: *rate* tokens a second, at most *burst*. With a zero in it nobody gets through."""

    rate: float
    burst: int


@dataclass(frozen=True)
class Stage:
    """A stage; any but `$default` is the first segment of the path. *account* is that of its access log."""

    name: str
    access_log_format: str | None = None
    throttle: Throttle | None = None
    route_throttles: Mapping[str, Throttle] = field(default_factory=dict)  # by route key
    account: str = ""

    @property
    def prefix(self) -> str:
        return "" if self.name == "$default" else f"/{self.name}"

    def throttle_of(self, route: Route) -> Throttle | None:
        """The route's own throttle, or else the stage's."""
        return self.route_throttles.get(route.key, self.throttle)


@dataclass(frozen=True)
class Cors:
    """The API's CORS configuration."""

    allow_origins: tuple[str, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: int | None = None
    allow_credentials: bool = False


@dataclass(frozen=True)
class ApiMapping:
    """At the custom domain name *host*, below the path of *key* (empty: anywhere), the API's stage is served."""

    host: str
    key: str
    stage: str


@dataclass(frozen=True)
class Api:
    """One HTTP API. *gaps*: what of it the twin does not do."""

    routes: tuple[Route, ...] = ()
    stages: tuple[Stage, ...] = ()
    cors: Cors | None = None
    gaps: tuple[Gap, ...] = ()
    id: str = ""
    name: str = ""
    mappings: tuple[ApiMapping, ...] = ()

    @property
    def integrations(self) -> tuple[Integration, ...]:
        """Those that a route leads to, each once."""
        return tuple({route.integration.id: route.integration for route in self.routes}.values())

    @property
    def authorizers(self) -> tuple[JwtAuthorizer, ...]:
        """Those that a route asks, each once."""
        return tuple({route.authorizer.id: route.authorizer for route in self.routes if route.authorizer}.values())
