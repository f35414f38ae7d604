from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.errors import BadStack
from twin.stack.references import Reference, mentioned, resolve

ATTRIBUTES: dict[str, dict[str, Any]] = {
    "aws_vpc.main": {"id": "vpc-1", "dns": True, "ipv6": None},
    "aws_lb.inner": {
        "subnets": ["a", "b"],
        "mapping": {"port": 80},
        "tags": {"a.b": "dotted"},
        "ports": [{"number": 80}, {"number": 443}],
    },
    "data.aws_region.now": {"name": "eu-west-2"},
}


def resolved(value: Any) -> Any:
    return resolve(value, "aws_x.y", lambda reference: reference.within(ATTRIBUTES[reference.address]))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("", ""),
        ("${aws_vpc.main.id}", "vpc-1"),
        ("${ aws_vpc.main.id }", "vpc-1"),
        ("${aws_vpc.main.dns}", True),
        ("${aws_vpc.main.ipv6}", None),
        ("${aws_lb.inner.subnets}", ["a", "b"]),
        ("${aws_lb.inner.subnets[1]}", "b"),
        ("${aws_lb.inner.mapping[0].port}", 80),
        ('${aws_lb.inner.tags["a.b"]}', "dotted"),
        ("${aws_lb.inner.ports[*].number}", [80, 443]),
        ("${aws_lb.inner.ports.*.number}", [80, 443]),
        ('${join(",", aws_lb.inner.subnets[*])}', "a,b"),
        ("${data.aws_region.now.name}", "eu-west-2"),
        ("in ${data.aws_region.now.name}: ${aws_vpc.main.id}!", "in eu-west-2: vpc-1!"),
        ("dns is ${aws_vpc.main.dns}, port ${aws_lb.inner.mapping.port}", "dns is true, port 80"),
        ("$${aws_vpc.main.id} and %%{ if }", "${aws_vpc.main.id} and %{ if }"),
        ("$request.path costs 5 $", "$request.path costs 5 $"),
    ],
)
def test_a_template_is_resolved(text: str, value: Any) -> None:
    assert resolved(text) == value


def test_references_are_found_in_lists_blocks_and_keys() -> None:
    value = {"a": [{"b": "${aws_vpc.main.id}"}, 3, None], "${data.aws_region.now.name}": False}

    assert resolved(value) == {"a": [{"b": "vpc-1"}, 3, None], "eu-west-2": False}


@pytest.mark.parametrize(
    "expression",
    [
        "${title(aws_vpc.main.id)}",
        "${upper(title(aws_vpc.main.id))}",
        "${upper(var.name)}",
        "${upper(aws_subnet.all)}",
        "${aws_vpc.main}",
        "${aws_vpc.main.dns ? 1 : 2}",
        "${var.region}",
        "${local.name}",
        "${each.value.id}",
        "${self.input.namespace}",
        "${module.vpc.id}",
        "${aws_vpc.main.id",
        "%{ if true }yes%{ endif }",
    ],
)
def test_any_other_expression_is_refused_by_name(expression: str) -> None:
    with pytest.raises(BadStack) as refusal:
        resolved({"block": [{"inner": f"x {expression}"}]})

    assert str(refusal.value).startswith("aws_x.y, argument block.inner: ")
    assert expression.partition(" ")[0] in str(refusal.value)
    assert "compute it in the construct, or let Terraform" in str(refusal.value)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("${upper(aws_vpc.main.id)}", "VPC-1"),
        ('${jsonencode({"a" = "}", b = [aws_vpc.main.dns]})}', '{"a":"}","b":[true]}'),
        ('a ${join("-", concat(aws_lb.inner.subnets, ["c"]))}!', "a a-b-c!"),
        ("${element(aws_lb.inner.subnets, 3)}", "b"),
        ('${cidrsubnet("10.0.0.0/16", 8, 3)}', "10.0.3.0/24"),
        ('${cidrsubnet("fd00::/56", 8, 255)}', "fd00:0:0:ff::/64"),
        ('${cidrhost("10.0.0.0/16", 5)}', "10.0.0.5"),
        ('${replace(lower("A-B"), "-", "")}', "ab"),
        ("${length(aws_lb.inner.subnets)}", 2),
        ('${coalesce("", "b")}', "b"),
        ('${split(",", "a,b")}', ["a", "b"]),
        ('${merge({a = 1}, {a = 2, b = "${aws_vpc.main.id}"})}', {"a": 2, "b": "vpc-1"}),
        ("${[aws_vpc.main.id, 7]}", ["vpc-1", 7]),
    ],
)
def test_functions_of_references_are_evaluated(expression: str, value: Any) -> None:
    assert resolved(expression) == value


@pytest.mark.parametrize(
    "expression", ['${cidrsubnet("10.0.0.0/16", 4, 16)}', '${cidrsubnet("10.0.0.0/30", 4, 1)}', "${length(7)}"]
)
def test_a_function_that_gives_nothing_is_refused(expression: str) -> None:
    with pytest.raises(BadStack, match="cannot be computed"):
        resolved(expression)


def test_a_list_inside_a_longer_string_is_refused() -> None:
    with pytest.raises(BadStack, match="single value"):
        resolved("subnets: ${aws_lb.inner.subnets}")


def test_dynamic_blocks_are_refused_but_a_tag_may_have_that_name() -> None:
    with pytest.raises(BadStack, match=r"aws_x\.y, argument block: the twin does not expand dynamic"):
        resolved({"block": {"dynamic": {"rule": {"for_each": []}}}})

    assert resolved({"tags": {"dynamic": "yes"}}) == {"tags": {"dynamic": "yes"}}


@pytest.mark.parametrize("path", [("absent",), ("id", 0), ("id", "length"), ("subnets", 7), ("subnets", "a")])
def test_a_path_that_leads_nowhere_is_a_lookup_error(path: tuple[str | int, ...]) -> None:
    with pytest.raises(LookupError):
        Reference("aws_x.y", path).within({"id": "vpc-1", "subnets": ["a"]})


def test_addresses_are_seen_in_expressions_that_are_refused_too() -> None:
    value = {"a": "${jsonencode({x = aws_vpc.main.id, y = data.aws_region.now.name})}", "b": ["aws_no.expression"]}

    assert list(mentioned(value)) == ["aws_vpc.main", "data.aws_region.now"]


@settings(deadline=None)
@given(st.text())
def test_escaped_text_stays_as_it_is(text: str) -> None:
    escaped = text.replace("${", "$${").replace("%{", "%%{")

    # Runs of the sign before a brace are Terraform's own puzzle.
    if "$$" not in text and "%%" not in text:
        assert resolved(escaped) == text


@settings(deadline=None)
@given(st.text(alphabet='${}%"[].aws_x *'))
def test_every_text_is_resolved_or_refused(text: str) -> None:
    refusal = None
    try:
        resolve(text, "aws_x.y", str)
    except BadStack as error:
        refusal = error

    assert refusal is None or "${" in text or "%{" in text


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(alphabet="abc"), st.lists))
def test_values_without_templates_are_unchanged(value: Any) -> None:
    assert json.dumps(resolved(value)) == json.dumps(value)


@pytest.mark.parametrize(
    "expression", ["${" * 500 + "x" + "}" * 500, "${" + "a" * 200_000 + "!}"], ids=["deep", "long"]
)
def test_a_message_repeats_no_more_of_an_expression_than_a_reader_needs(expression: str) -> None:
    with pytest.raises(BadStack) as error:
        resolve(expression, "aws_ecs_cluster.main, argument name", lambda reference: "")

    assert len(str(error.value)) < 450
    assert len(str(Reference("aws_vpc.main", ("a",) * 50_000))) == 200
