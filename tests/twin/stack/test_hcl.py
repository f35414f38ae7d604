"""Terraform's language, as far as text alone says what a value is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.errors import BadStack
from twin.stack.expressions import UNKNOWN, Names, evaluate, named
from twin.stack.hcl import expression_of, parse


def value(text: str, names: Names | None = None) -> object:
    return evaluate(parse(f"a = {text}\n", "x.tf").arguments["a"], names)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"plain"', "plain"),
        ('"a\\n\\"b\\""', 'a\n"b"'),
        ('"$${kept} %%{kept}"', "${kept} %{kept}"),
        ("7", 7),
        ("1.5", 1.5),
        ("true", True),
        ("null", None),
        ('["a", 1, # a comment\n  [true],]', ["a", 1, [True]]),
        ('{ a = 1, "b" : "c"\n  d = [2] }', {"a": 1, "b": "c", "d": [2]}),
        ("{ (var.name) = 1 }", {"shop": 1}),
        ('jsonencode([{ name = "app" }])', [{"name": "app"}]),
        ("var.name", "shop"),
        ('"${var.name}-${local.kind}-${7}"', "shop-api-7"),
        ('"${var.name}"', "shop"),
        ("local.ports.http", 80),
        ('local.ports["http"]', 80),
        ("each.value.image", "orders:1"),
        ("<<-EOT\n  a ${var.name}\n  EOT", "  a shop\n"),
    ],
)
def test_what_follows_from_text(text: str, expected: object) -> None:
    content = parse('locals {\n kind = "api"\n ports = { http = 80 }\n}', "x.tf").blocks[0]
    each = named({"key": "orders", "value": {"image": "orders:1"}})
    names = {"var": named({"name": "shop"}), "local": content.arguments, "each": each}

    assert value(text, names) == expected


@pytest.mark.parametrize(
    "text",
    [
        "aws_vpc.main.id",
        "var.none",
        "local.none",
        "var.a ? 1 : 2",
        "1 + 2",
        "!true",
        '"a" == "b"',
        '[for a in var.b : "${a}-x" if a != ""]',
        "{ for a, b in var.c : a => { d = b } }",
        "module.vpc.ids[0]",
        "aws_subnet.main[*].id",
        "cidrsubnet(var.cidr, 4, 1)",
        '"x-${aws_vpc.main.id}"',
        'merge({ a = 1 }, var.b)["a"]',
        '"%{ if true }a%{ endif }"',
    ],
)
def test_the_rest_is_unknown_and_what_follows_it_is_read(text: str) -> None:
    content = parse(f'a = {text}\nb = "read"\nc "d" {{\n  e = {text}\n}}\n', "x.tf")

    assert evaluate(content.arguments["a"]) is UNKNOWN
    assert evaluate(content.arguments["b"]) == "read"
    assert [block.labels for block in content.of_type("c")] == [("d",)]


def test_locals_that_name_each_other_are_unknown() -> None:
    content = parse("a = local.b\nb = local.a\n", "x.tf")

    assert evaluate(content.arguments["a"], {"local": content.arguments}) is UNKNOWN


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('a = "open', "x.tf, line 1: a text has no end"),
        ("a = 1\nb {\n", "x.tf, line 3: "),
        ("a = \n", "x.tf, line 1: a value is missing"),
        ("a = <<EOT\nb\n", "has no end"),
        ("a = [for b in c : b\n", "] is missing"),
        ("a = @\n", "'@' has no place there"),
    ],
)
def test_what_is_no_terraform_is_refused_with_its_line(text: str, says: str) -> None:
    with pytest.raises(BadStack, match="terraform validate") as refused:
        parse(text, "x.tf")
    assert says in str(refused.value)


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    for each in (text, f"a = {text}", f'a = "{text}"', f'a = "${{{text}}}"'):
        try:
            parse(each, "x.tf")
        except BadStack:
            continue


@settings(deadline=None)
@given(st.text(max_size=100))
def test_a_string_of_json_is_a_template_or_itself(text: str) -> None:
    found = evaluate(expression_of(text))

    assert found == text or "{" in text
