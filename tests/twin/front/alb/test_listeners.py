"""Listeners and rules as Envoy's configuration: pure."""

from __future__ import annotations

import re
from typing import Any

import pytest

from twin.front.alb.listeners import listener
from twin.front.alb.model import Condition, FixedResponse, Forward, HealthCheck, Listener, Rule, TargetGroup
from twin.machine.addresses import Address

ARN = "arn:aws:elasticloadbalancing:eu-west-2:123456789012:targetgroup/shop/50dc6c495c0c9188"
LISTENER = "arn:aws:elasticloadbalancing:eu-west-2:123456789012:listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2"
GROUP = TargetGroup(ARN, "round_robin", 0, 300, HealthCheck("/ready", 10, 5, 2, 3, "200"))
HERE = Address("127.64.1.1", 8080)


def manager(*rules: Rule, groups: Any = None) -> Any:
    made = listener(Listener(LISTENER, 80, "HTTP", rules, 60), groups or {}, HERE, {})
    assert made["name"] == "shop-80"
    return made["filter_chains"][0]["filters"][0]["typed_config"]


def routes(*rules: Rule) -> Any:
    return manager(*rules)["route_config"]["virtual_hosts"][0]["routes"]


def test_it_knows_its_load_balancer() -> None:
    whose = Listener(LISTENER, 80, "HTTP", (), 60).balancer
    assert whose == "arn:aws:elasticloadbalancing:eu-west-2:123456789012:loadbalancer/app/shop/50dc6c495c0c9188"


@pytest.mark.parametrize("weights", [{}, {ARN: 0}, {ARN.replace("shop", "gone"): 1}])
def test_a_rule_without_a_target_group_answers_503(weights: dict[str, int]) -> None:
    (route,) = manager(Rule(Forward(weights)), groups={ARN: GROUP})["route_config"]["virtual_hosts"][0]["routes"]

    assert route["direct_response"]["status"] == 503


def test_its_own_answers_are_by_what_happened() -> None:
    mappers = manager(Rule(Forward({ARN: 1})), groups={ARN: GROUP})["local_reply_config"]["mappers"]

    flags = {mapper["status_code"]: mapper["filter"]["response_flag_filter"]["flags"] for mapper in mappers}
    status_of = {flag: status for status, of_status in flags.items() for flag in of_status}
    # Envoy's flags for a refused connection, no healthy target and a timeout.
    assert (status_of["UF"], status_of["UH"], status_of["UT"]) == (502, 503, 504)


def headers(*conditions: Condition) -> dict[str, str]:
    """The expressions by which *conditions* are compared, by header; of the path itself under `path`."""
    (route,) = routes(Rule(FixedResponse(200), conditions))
    match = route["match"]
    found = {header["name"]: header["string_match"]["safe_regex"]["regex"] for header in match.get("headers", ())}
    return {**found, "path": match["safe_regex"]["regex"]} if "safe_regex" in match else found


@pytest.mark.parametrize(
    ("pattern", "matches", "does_not"),
    [
        ("/orders/*", ["/orders/", "/orders/a/b"], ["/orders", "/Orders/a", "/a/orders/"]),
        ("/v?/x", ["/v1/x"], ["/v/x", "/v12/x"]),
        ("/a.b", ["/a.b"], ["/aXb"]),
        (r"/a\*b", ["/a*b"], ["/aXb"]),
        ("*", ["/", "/a"], []),
    ],
)
def test_a_path_pattern(pattern: str, matches: list[str], does_not: list[str]) -> None:
    expression = headers(Condition("path-pattern", (pattern, "/never")))["path"]

    assert all(re.fullmatch(expression, path) for path in matches)
    assert not any(re.fullmatch(expression, path) for path in does_not)


@pytest.mark.parametrize(
    ("values", "matches", "does_not"),
    [
        (("version=v1",), ["/?version=v1", "/a?x&VERSION=V1", "/?version=v1&y"], ["/?version=v12", "/?xversion=v1"]),
        (("*example*",), ["/?a=an-example-b", "/?q=example"], ["/?example=a", "/example?a=b", "/?a=1&b=2"]),
        (("a=?", "b=*"), ["/?a=1", "/?b=", "/?b=long"], ["/?a=12", "/?c=b"]),
    ],
)  # fmt: skip
def test_a_query_string(values: tuple[str, ...], matches: list[str], does_not: list[str]) -> None:
    expression = headers(Condition("query-string", values))[":path"]

    assert all(re.fullmatch(expression, path) for path in matches)
    assert not any(re.fullmatch(expression, path) for path in does_not)


def test_a_host_is_compared_without_its_port_and_without_its_case() -> None:
    expression = headers(Condition("host-header", ("*.example.com", "test.org")))[":authority"]

    assert all(re.fullmatch(expression, host) for host in ("shop.Example.com", "a.b.example.com:8080", "TEST.org"))
    assert not any(re.fullmatch(expression, host) for host in ("example.com", "test.org.evil", "xtest.org"))


def test_all_conditions_of_a_rule_must_be_met() -> None:
    compared = headers(
        Condition("http-header", ("*Chrome*",), "User-Agent"),
        Condition("http-request-method", ("GET", "HEAD")),
        Condition("path-pattern", ("/a",)),
        Condition("source-ip", ("0.0.0.0/0",)),
    )

    assert compared == {"user-agent": "(?i)(?:.*Chrome.*)", ":method": "GET|HEAD", "path": "/a"}


@pytest.mark.parametrize(("blocks", "always"), [(("10.0.0.0/8", "127.0.0.1/32"), True), (("10.0.0.0/8",), False)])
def test_every_client_is_127_0_0_1(blocks: tuple[str, ...], always: bool) -> None:
    (route,) = routes(Rule(FixedResponse(200), (Condition("source-ip", blocks),)))

    assert ("headers" not in route["match"]) is always


def test_of_tcp_the_default_action_alone_counts() -> None:
    arn = LISTENER.replace("/app/", "/net/")
    other = TargetGroup(ARN.replace("shop", "other"), "round_robin", 0, 300, None)
    groups = {ARN: GROUP, other.arn: other}

    def proxy(weights: dict[str, int]) -> Any:
        made = listener(Listener(arn, 5432, "TCP", (Rule(Forward(weights)),), 350), groups, HERE, {})
        return made["filter_chains"][0]["filters"][0]["typed_config"]

    assert proxy({ARN: 1})["cluster"] == GROUP.id
    assert proxy({ARN: 1})["idle_timeout"] == "350s"
    weighted = proxy({ARN: 3, other.arn: 1})["weighted_clusters"]["clusters"]
    assert weighted == [{"name": GROUP.id, "weight": 3}, {"name": other.id, "weight": 1}]
    assert proxy({})["cluster"] == "none"
