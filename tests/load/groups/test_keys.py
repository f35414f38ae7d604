from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from load.groups.keys import key_of, named, parse


@dataclass
class Answer:
    content: bytes = b""
    headers: Mapping[str, str | list[str]] | None = field(default_factory=dict)


def of_request(response: object, url: str, context: object, exception: BaseException | None) -> object:
    """A function of one's own, found by its name in this module."""
    return context


def zone_of_request(response: object, url: str, context: object, exception: BaseException | None) -> str:
    return "zone 1"


@pytest.mark.parametrize(
    ("key", "answer", "group"),
    [
        ("header:x-served-by", Answer(headers={"x-served-by": "a"}), "a"),
        ("header:x-served-by", Answer(headers={"x-served-by": ["a", "b"]}), "a"),
        ("header:x-served-by", Answer(), ""),
        ("header:x-served-by", Answer(headers=None), ""),
        ("header:x-served-by", None, ""),
        ("json:served.by", Answer(b'{"served": {"by": "b"}}'), "b"),
        ("json:items.1.id", Answer(b'{"items": [{"id": 1}, {"id": 2}]}'), "2"),
        ("json:served", Answer(b'{"served": {"by": "b"}}'), '{"by": "b"}'),
        ("json:served.at", Answer(b'{"served": {"by": "b"}}'), ""),
        ("json:served", Answer(b"<html>"), ""),
        ("json:served", Answer(b'{"served": true}'), "true"),
        ("json:served", Answer(b'{"served": null}'), ""),
        ("json:served", Answer(b'{"served": ' + b"[" * 100_000), ""),
        ("json:0", Answer(b"9" * 10_000), ""),
        ("json:served", None, ""),
        ("url-host", None, "example.com:8080"),
    ],
)
def test_a_request_belongs_to_a_group(key: str, answer: Answer | None, group: str) -> None:
    assert named(parse(key)(answer, "http://user@Example.com:8080/a?b=//c", None, None)) == group


def test_a_function_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("string.capwords", of_request)
    assert parse("string:capwords")(None, "", "tenant 1", None) == "tenant 1"
    assert parse("string:capwords")(None, "", None, None) is None


def test_a_function_brings_along_what_is_beside_its_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("string.capwords", of_request)
    assert not hasattr(parse("string:capwords"), "detail")
    monkeypatch.setattr(of_request, "detail", zone_of_request, raising=False)
    assert parse("string:capwords").detail is zone_of_request  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", ["", "header", "header:", "json:", "url-host:x", "body x:y", "a b:c", "string:", ":x"])
def test_what_is_no_key_is_refused_with_the_rule_and_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="module:function is needed, such as header:x-served-by") as caught:
        parse(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", ["body:x", "no_such_module:f", "string:no_such_function", "string:digits"])
def test_a_function_that_is_not_there_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        parse(text)


def test_a_name_is_one_short_line_of_text() -> None:
    assert named("a\nb\x00 ") == "a b"
    assert named("x" * 1000) == "x" * 200
    assert named(None) == ""
    assert named(7) == "7"
    assert named("\ud800x\u202e") == "x"


@pytest.mark.parametrize("name", ["(other)", "(no group known)"])
def test_no_answer_takes_the_place_of_the_rows_that_stand_for_several(name: str) -> None:
    assert named(name) == f'"{name}"'


def test_a_function_may_give_anything() -> None:
    key = key_of(lambda response, url, context, exception: context)
    assert [named(key(None, "", context, None)) for context in (None, 7, "a\nb", ["c"])] == ["", "7", "a b", "['c']"]
    assert key_of("url-host")(None, "http://a/", None, None) == "a"
