"""`count`, `for_each`, `dynamic`, variables and locals as Terraform expands them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.errors import BadStack
from twin.stack.expansion import bind, instances, names_of
from twin.stack.terraform import Stack, read_stack

VARIABLES = {"name": {"default": "shop"}, "zones": {"type": "number", "default": 2}, "unset": {"type": "string"}}
CONTENT: dict[str, Any] = {
    "variable": VARIABLES,
    "locals": {
        "tags": {"Name": "${var.name}", "Vpc": "${aws_vpc.main.id}"},
        "ports": ["${var.zones}", 443],
        "circle": "${local.circle}",
    },
}
NAMES = names_of(CONTENT)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${var.name}", "shop"),
        ("${var.zones}", 2),
        ("${var.name}-${var.zones}", "shop-2"),
        ("${local.tags.Name}", "shop"),
        ('${local.tags["Vpc"]}', "${aws_vpc.main.id}"),
        ("in ${local.tags.Vpc}", "in ${aws_vpc.main.id}"),
        ("${local.ports[1]}", 443),
        ("${local.tags}", '${{("Name") = "shop", ("Vpc") = aws_vpc.main.id}}'),
        ("${upper(var.name)}", "SHOP"),
        ("${jsonencode([{a = var.name, b = 1}])}", '[{"a":"shop","b":1}]'),
        ("${cidrsubnet(aws_vpc.main.cidr_block, 8, var.zones)}", "${cidrsubnet(aws_vpc.main.cidr_block, 8, 2)}"),
        ('${join("\\n", ["${var.name}$${x}", aws_vpc.main.id])}', '${join("\\n", ["shop$${x}", aws_vpc.main.id])}'),
        ("$${var.name} ${var.name}", "$${var.name} shop"),
        ("$${var.name}", "$${var.name}"),
        ("${aws_subnet.all[var.zones].id}", "${aws_subnet.all[2].id}"),
        ("${aws_subnet.all[*].id}", "${aws_subnet.all[*].id}"),
        ("${var.unset}", "${var.unset}"),
        ("${var.unset ? 1 : 2}", "${var.unset ? 1 : 2}"),
        ("${local.circle}", "${local.circle}"),
        (
            '${[ for key, val in toset(["80", "443"]): {"from" = val, by = key}]}',
            [
                {"from": "80", "by": "80"},
                {"from": "443", "by": "443"},
            ],
        ),
        (
            "${{ for name, tag in local.tags : name => upper(tag) }}",
            '${{("Name") = upper("shop"), ("Vpc") = upper(aws_vpc.main.id)}}',
        ),
        ('${[for a in ["x", "y"] : [for b in [1, 2] : "${a}${b}"]]}', [["x1", "x2"], ["y1", "y2"]]),
        ("${[for port in local.ports : port if port > 80]}", "${[for port in local.ports : port if port > 80]}"),
        ("${[for key in aws_vpc.main.tags : key]}", "${[for key in aws_vpc.main.tags : key]}"),
        ("${local.tags.none}", "${local.tags.none}"),
    ],
)
def test_variables_and_locals_are_put_in(text: str, value: Any) -> None:
    assert bind(text, NAMES) == value


def made(body: dict[str, Any]) -> dict[str, Any]:
    return dict(instances("aws_x.y", body, NAMES))


@pytest.mark.parametrize("count", [2, "2", "${var.zones}", "${length(local.ports)}"])
def test_count(count: Any) -> None:
    body = {"count": count, "name": "${var.name}-${count.index}", "at": "${count.index}"}

    assert made(body) == {"aws_x.y[0]": {"name": "shop-0", "at": 0}, "aws_x.y[1]": {"name": "shop-1", "at": 1}}
    assert made({"count": 0, "name": "x"}) == {}


@pytest.mark.parametrize(
    "for_each",
    [
        {"a": {"port": 1}, "b": {"port": 2}},
        '${tomap({a = {port = 1}, "b" = {port = 2}})}',
        "${merge({a = {port = 1}}, {b = {port = 2}})}",
        '${{ for key, val in toset([{name = "a", port = 1}, {name = "b", port = 2}]): val.name => val }}',
    ],
)
def test_for_each_of_a_map(for_each: Any) -> None:
    body = {"for_each": for_each, "name": "${each.key}-${each.value.port}", "port": '${each.value["port"]}'}

    assert made(body) == {'aws_x.y["a"]': {"name": "a-1", "port": 1}, 'aws_x.y["b"]': {"name": "b-2", "port": 2}}


def test_for_each_of_a_set() -> None:
    body = {"for_each": '${toset(["a", "b", "a"])}', "name": "${each.key}", "again": "${each.value}"}

    assert made(body) == {'aws_x.y["a"]': {"name": "a", "again": "a"}, 'aws_x.y["b"]': {"name": "b", "again": "b"}}


def test_values_may_be_references_but_not_keys() -> None:
    assert made({"for_each": {"a": "${aws_vpc.main.id}"}, "vpc": "${each.value}"}) == {
        'aws_x.y["a"]': {"vpc": "${aws_vpc.main.id}"}
    }
    body = {"for_each": "${toset([aws_vpc.main.id])}", "vpc": "${each.value}"}
    assert made(body) == {"aws_x.y": body}


@pytest.mark.parametrize(
    "by",
    [
        {"count": "${var.unset}"},
        {"count": "${length(aws_subnet.all)}"},
        {"count": -1},
        {"count": 1.5},
        {"for_each": "${aws_subnet.all}"},
        {"for_each": "${{ for k, v in aws_vpc.main.tags : k => v }}"},
        {"for_each": ["a"]},
        {"for_each": 3},
    ],
)
def test_what_does_not_follow_from_the_file_stays(by: dict[str, Any]) -> None:
    assert made({**by, "name": "x"}) == {"aws_x.y": {**by, "name": "x"}}


def test_too_many_are_refused() -> None:
    with pytest.raises(BadStack, match=r"aws_x\.y: count is 1000000000, and the twin takes 2000"):
        made({"count": 10**9})


@pytest.mark.parametrize(
    "text", ["${local.n40}", "${local.t40}", "${range(1000000000)}", '${cidrsubnet("10.0.0.0/8", 9999999999, 0)}']
)
def test_what_would_grow_without_end_stays(text: str) -> None:
    lists = {f"n{n + 1}": [f"${{local.n{n}}}", f"${{local.n{n}}}"] for n in range(40)}
    texts = {f"t{n + 1}": f"${{local.t{n}}}${{local.t{n}}}" for n in range(40)}
    names = names_of({"locals": {"n0": 1, "t0": "x", **lists, **texts}})

    assert bind(text, names) == text


def test_dynamic_blocks() -> None:
    rule = {"for_each": ["${var.name}", "x"], "iterator": "it", "content": [{"at": "${it.key}", "of": "${it.value}"}]}
    setting = {"for_each": {"a": 1}, "content": {"name": "${setting.key}", "value": "${setting.value}"}}

    assert bind({"dynamic": {"setting": setting, "rule": [rule]}, "setting": {"name": "own"}}, NAMES) == {
        "setting": [{"name": "own"}, {"name": "a", "value": 1}],
        "rule": [{"at": 0, "of": "shop"}, {"at": 1, "of": "x"}],
    }
    unknown = {"dynamic": {"setting": {"for_each": "${aws_vpc.main.tags}", "content": {}}}}
    assert bind(unknown, NAMES) == unknown
    assert bind({"tags": {"dynamic": "yes"}}, NAMES) == {"tags": {"dynamic": "yes"}}


def stack(resource: dict[str, Any], output: Any = None) -> Stack:
    containers = json.dumps([{"name": "app", "image": "x"}])
    own = {
        "aws_ecs_task_definition": {"main": {"family": "main", "container_definitions": containers}},
        "aws_ecs_service": {"main": {"name": "main"}},
    }
    content = {
        **CONTENT,
        "variable": {**VARIABLES, "region": {"default": "eu-west-1"}},
        "provider": {"aws": {"region": "${var.region}"}},
        "resource": {**own, **resource},
        "output": {"all": {"value": output}},
    }
    return read_stack(content, Path("x.json"))


def test_instances_come_after_all_instances_of_what_they_name() -> None:
    found = stack(
        {
            "aws_subnet": {"all": {"count": 2, "vpc_id": "${aws_vpc.main.id}"}},
            "aws_vpc": {"main": {"cidr_block": "10.0.0.0/16"}},
            "aws_lb": {"main": {"for_each": '${toset(["a.b"])}', "depends_on": ["aws_subnet.all"]}},
        },
        "${aws_subnet.all[*].id}",
    )

    order = [resource.address for resource in found.in_order()]
    assert found.region == "eu-west-1"
    assert {each.address for each in found.of_type("aws_lb")} == {'aws_lb.main["a.b"]'}
    assert found.instances("aws_lb.main") == {"a.b": 'aws_lb.main["a.b"]'}
    assert order.index("aws_vpc.main") < order.index("aws_subnet.all[0]")
    assert max(order.index(f"aws_subnet.all[{n}]") for n in (0, 1)) < order.index('aws_lb.main["a.b"]')


@settings(deadline=None)
@given(st.text(alphabet='${}%"[].avr_x *\\n', max_size=40))
def test_every_text_is_bound_or_stays(text: str) -> None:
    assert bind({"a": [text]}, NAMES) is not None
    assert list(instances("aws_x.y", {"for_each": text, "count": text}, NAMES))
