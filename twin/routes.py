"""API Gateway's routes as Envoy's routes: pure.

Which route wins is API Gateway's rule: a full match, then a greedy path variable, then `$default`
(https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Integration", "Route", "envoy_routes"]

Json = dict[str, Any]

_VARIABLE = re.compile(r"\\{(\w+)(\\\+)?\\}")


@dataclass(frozen=True)
class Integration:
    """A private integration: the clusters that serve it and its timeout in seconds."""

    clusters: tuple[str, ...]
    timeout: float
    overwrite_path: bool = False  # `overwrite:path` = `$request.path`: the stage's name is not sent


@dataclass(frozen=True)
class Route:
    """A route key, such as `GET /hostname`, `ANY /{proxy+}` or `$default`, and where it goes."""

    key: str
    integration: Integration

    @property
    def method(self) -> str:
        return self.key.split(" ", 1)[0]

    @property
    def path(self) -> str:
        return self.key.split(" ", 1)[1] if " " in self.key else "/{proxy+}"

    @property
    def specificity(self) -> tuple[bool, bool, int, bool]:
        """Sorts the more specific route first."""
        return (self.key == "$default", "+}" in self.path, self.path.count("{"), self.method == "ANY")


def envoy_routes(routes: Iterable[Route], *, stage: str, connect_retries: int) -> list[Json]:
    """The route entries of Envoy, in the order in which it must try them.

    *stage* other than `$default` is the first segment of every path, and is sent to the service unless the
    integration overwrites the path.
    """
    prefix = "" if stage == "$default" else f"/{stage}"
    return [_route(route, prefix, connect_retries) for route in sorted(routes, key=lambda route: route.specificity)]


def _route(route: Route, prefix: str, connect_retries: int) -> Json:
    pattern = _VARIABLE.sub(lambda m: ".*" if m[2] else "[^/]+", re.escape(route.path))
    match: Json = {"safe_regex": {"regex": re.escape(prefix) + pattern}}
    if route.method not in ("ANY", "$default"):
        match["headers"] = [{"name": ":method", "string_match": {"exact": route.method}}]
    action: Json = {"timeout": f"{route.integration.timeout}s", **_destination(route.integration.clusters)}
    if connect_retries:
        action["retry_policy"] = {
            "retry_on": "connect-failure",
            "num_retries": connect_retries,
            "retry_host_predicate": [_PREVIOUS_HOSTS],
            "host_selection_retry_max_attempts": 5,
            "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.001s"},
        }
    if prefix and route.integration.overwrite_path:
        action["regex_rewrite"] = {"pattern": {"regex": f"^{re.escape(prefix)}"}, "substitution": ""}
    return {"match": match, "route": action}


def _destination(clusters: tuple[str, ...]) -> Mapping[str, Any]:
    if len(clusters) == 1:
        return {"cluster": clusters[0]}
    return {"weighted_clusters": {"clusters": [{"name": name, "weight": 1} for name in clusters]}}


_PREVIOUS_HOSTS = {
    "name": "envoy.retry_host_predicates.previous_hosts",
    "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
    },
}
