"""Which route wins, and what path is sent: asked of the table as Envoy would read it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from twin.front.http_api.model import Api, CloudMapService, Integration, Route, Stage, Throttle
from twin.front.http_api.routes import envoy_routes

SERVICE = CloudMapService("shop", "shop")
DEFAULT = Stage("$default")


def integration(identifier: str = "i", path: str | None = "$request.path") -> Integration:
    return Integration(identifier, SERVICE, 30.0, path)


def table(*routes: Route, stages: tuple[Stage, ...] = (DEFAULT,), front_ends: int = 1, retries: int = 0) -> list[Any]:
    api = Api(routes, stages)
    served = [(stage, stage.prefix) for stage in sorted(stages, key=lambda stage: stage.name == "$default")]
    return envoy_routes(api, served, front_ends=front_ends, connect_retries=retries, keyless=frozenset())


def find(entries: list[Any], method: str, path: str) -> Any:
    """The first entry that matches, as Envoy tries them."""
    for entry in entries:
        match = entry["match"]
        methods = [header["string_match"]["exact"] for header in match.get("headers", [])]
        pattern = match["safe_regex"]["regex"] if "safe_regex" in match else re.escape(match["path"])
        if re.fullmatch(pattern, path) and methods in ([], [method]):
            return entry
    return None


def key_of(entries: list[Any], method: str, path: str) -> str | None:
    entry = find(entries, method, path)
    return entry["metadata"]["filter_metadata"]["twin"].get("route") if entry else None


def sent(entry: Any, path: str) -> str:
    """The path that the service gets, as RE2 would make it."""
    rewrite = entry["route"].get("regex_rewrite")
    return re.sub(rewrite["pattern"]["regex"], rewrite["substitution"], path) if rewrite else path


@pytest.mark.parametrize(
    ("method", "path", "key"),
    [
        ("GET", "/users", "GET /users"),
        ("POST", "/users", "ANY /users"),
        ("GET", "/users/7", "GET /users/{id}"),
        ("GET", "/users/me", "GET /users/me"),
        ("GET", "/users/7/orders/8", "ANY /users/{proxy+}"),
        ("PUT", "/users/7", "ANY /users/{proxy+}"),
        ("GET", "/users/", "$default"),
        ("GET", "/", "$default"),
        ("DELETE", "/else", "$default"),
        ("GET", "/usersx", "$default"),
    ],
)
def test_the_most_specific_route_wins(method: str, path: str, key: str) -> None:
    keys = ["$default", "ANY /users/{proxy+}", "ANY /users", "GET /users/{id}", "GET /users/me", "GET /users"]
    entries = table(*(Route(key, integration()) for key in keys))

    assert key_of(entries, method, path) == key


@pytest.mark.parametrize(
    ("keys", "method", "path", "key"),
    [
        (("ANY /{proxy+}", "ANY /orders/{proxy+}"), "GET", "/orders/7", "ANY /orders/{proxy+}"),
        (("GET /{proxy+}", "ANY /orders/{proxy+}"), "GET", "/orders/7", "ANY /orders/{proxy+}"),
        (("ANY /orders/{proxy+}", "GET /orders/{proxy+}"), "GET", "/orders/7", "GET /orders/{proxy+}"),
        (("GET /{shop}/orders", "ANY /a/{what}"), "GET", "/a/orders", "ANY /a/{what}"),
        (("ANY /a/{proxy+}", "GET /{shop}/orders"), "GET", "/a/orders", "ANY /a/{proxy+}"),
        (("$default", "ANY /{proxy+}"), "GET", "/a", "ANY /{proxy+}"),
    ],
)
def test_routes_compare_segment_by_segment_and_the_method_last(
    keys: tuple[str, ...], method: str, path: str, key: str
) -> None:
    for order in (keys, keys[::-1]):
        assert key_of(table(*(Route(each, integration()) for each in order)), method, path) == key


@pytest.mark.parametrize(
    ("key", "overwrite", "path"),
    [
        ("GET /", "$request.path", "/"),
        ("$default", "$request.path", "/"),
        ("GET /", "/v1$request.path", "/v1/"),
        ("GET /", None, "/prod"),
    ],
)
def test_a_stages_name_alone_is_its_root(key: str, overwrite: str | None, path: str) -> None:
    entries = table(Route(key, integration(path=overwrite)), stages=(Stage("prod"),))

    assert key_of(entries, "GET", "/prod") == key
    assert sent(find(entries, "GET", "/prod"), "/prod") == path
    assert key_of(entries, "GET", "/production") is None


def test_without_a_default_route_the_rest_is_nobodys() -> None:
    entries = table(Route("GET /users", integration()))

    assert find(entries, "GET", "/other")["direct_response"] == {"status": 404}
    assert find(entries, "POST", "/users")["direct_response"] == {"status": 404}


def test_characters_of_a_path_mean_themselves() -> None:
    entries = table(Route("GET /a.b", integration()))

    assert key_of(entries, "GET", "/a.b") == "GET /a.b"
    assert key_of(entries, "GET", "/axb") is None


def test_a_named_stage_is_the_first_segment_and_its_rest_is_not_the_default_stages() -> None:
    entries = table(Route("GET /users", integration()), stages=(DEFAULT, Stage("v-1.0")))

    def stage(path: str) -> str:
        return str(find(entries, "GET", path)["metadata"]["filter_metadata"]["twin"]["stage"])

    assert key_of(entries, "GET", "/v-1.0/users") == key_of(entries, "GET", "/users") == "GET /users"
    assert key_of(entries, "GET", "/v-1.0/other") is None
    assert (stage("/v-1.0/other"), stage("/other"), stage("/v-1.0x")) == ("v-1.0", "$default", "$default")


@pytest.mark.parametrize(
    ("key", "overwrite", "asked", "got"),
    [
        ("GET /users", None, "/v1/users", "/v1/users"),
        ("GET /users", "$request.path", "/v1/users", "/users"),
        ("GET /alb/users", "/users", "/v1/alb/users", "/users"),
        ("ANY /alb/{proxy+}", "/$request.path.proxy", "/v1/alb/a/b.c", "/a/b.c"),
        ("ANY /alb/{proxy+}", "$request.path.proxy", "/v1/alb/a/b.c", "/a/b.c"),
        ("GET /users", "people", "/v1/users", "/people"),
        ("GET /{first}/{second}", "/x/${request.path.second}/$request.path.first", "/v1/a/b", "/x/b/a"),
        ("GET /{id}", "/$request.path.other", "/v1/a", "/"),
        ("$default", "$request.path", "/v1/any/thing", "/any/thing"),
        ("GET /users", r"/back\1slash", "/v1/users", r"/back\1slash"),
    ],
)
def test_the_path_that_is_sent(key: str, overwrite: str | None, asked: str, got: str) -> None:
    entries = table(Route(key, integration(path=overwrite)), stages=(Stage("v1"),))

    assert sent(find(entries, "GET", asked), asked) == got


def test_each_front_end_has_a_cluster_of_its_own_with_the_same_weight() -> None:
    entry = table(Route("GET /users", integration()), front_ends=3)[0]

    clusters = entry["route"]["weighted_clusters"]["clusters"]
    assert [(cluster["name"], cluster["weight"]) for cluster in clusters] == [("i-0", 1), ("i-1", 1), ("i-2", 1)]


def test_a_routes_own_throttling_comes_before_the_stages() -> None:
    stage = Stage("$default", None, Throttle(100, 50), {"GET /b": Throttle(0.5, 7)})
    entries = table(Route("GET /a", integration()), Route("GET /b", integration()), stages=(stage,))

    def bucket(path: str) -> Any:
        limit = find(entries, "GET", path)["typed_per_filter_config"]["envoy.filters.http.local_ratelimit"]
        return limit["token_bucket"]

    assert bucket("/a") == {"max_tokens": 50, "tokens_per_fill": 100, "fill_interval": "1.000000s"}
    assert bucket("/b") == {"max_tokens": 7, "tokens_per_fill": 1, "fill_interval": "2.000000s"}


@pytest.mark.parametrize("throttle", [Throttle(0, 5), Throttle(5, 0)], ids=str)
def test_nobody_gets_through_a_throttle_with_a_zero(throttle: Throttle) -> None:
    entries = table(Route("GET /a", integration()), stages=(Stage("$default", None, throttle),))

    assert find(entries, "GET", "/a")["direct_response"] == {"status": 429}


def test_connects_are_tried_again_only_if_asked() -> None:
    route = Route("GET /users", integration())

    assert "retry_policy" not in table(route)[0]["route"]
    assert table(route, retries=2)[0]["route"]["retry_policy"]["num_retries"] == 2
