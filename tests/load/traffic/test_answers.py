from __future__ import annotations

from collections.abc import Mapping

import pytest

from load.groups.keys import parse
from load.traffic.answers import hostname, pair, pair_zones, upstream, zone

SERVICE = {"x-hostname": "ip-10-0-1-2.eu-west-2.compute.internal", "x-availability-zone": "eu-west-2a"}
NAMED = SERVICE["x-hostname"]
NOBODY = ""


class Answered:
    """An answer of HTTP; header names have hyphens for underscores."""

    def __init__(
        self,
        status: int = 200,
        body: bytes | None = b"{}",
        headers: Mapping[str, str | list[str]] | None = None,
        **more: str,
    ) -> None:
        self.status_code, self.content = status, body
        self.headers = {**(headers or {}), **{name.replace("_", "-"): value for name, value in more.items()}}


KEYS = ("load.traffic.answers:upstream", "load.traffic.answers:pair")


@pytest.mark.parametrize(
    ("url", "status", "body", "headers", "expected"),
    [
        ("/hostname", 200, b"ok", SERVICE, NAMED),  # of a service of one's own, whose proxies name its tasks
        ("/hostname", 200, b"task-1\n", {}, "task-1"),
        ("http://127.0.0.1:8000/stage/hostname?delay_ms=5", 200, b"task-1", {}, "task-1"),
        ("/identity", 200, b'{"hostname": "x"}', SERVICE, NAMED),
        ("/hostname", 503, b'{"detail": "draining"}', SERVICE, NAMED),
        ("/hostname", 200, None, SERVICE, NAMED),
        ("/hostname", 503, b'{"message":"Service Unavailable"}', {}, NOBODY),
        ("/hostname", 404, b"task-1", {}, NOBODY),
        ("/hostname", 200, b"<html>\n<body>", {}, NOBODY),
        ("/hostname", 200, b'{"message":"OK"}', {}, NOBODY),
        ("/hostname", 200, b"two words", {}, NOBODY),
        ("/hostname", 200, b"a" * 254, {}, NOBODY),
        ("/payload", 200, b"task-1", {}, NOBODY),
        ("/identity", 200, b"{}", {"x-hostname": '=cmd("x")'}, NOBODY),
        ("/identity", 200, b"{}", {"x-hostname": ["first", "second"]}, "first"),
        ("/hostname", 0, None, {}, NOBODY),
    ],
)
def test_an_answer_belongs_to_the_host_that_named_itself(
    url: str, status: int, body: bytes | None, headers: dict[str, str | list[str]], expected: str
) -> None:
    assert hostname(Answered(status, body, headers), url, {}, None) == expected


def test_the_body_of_an_answer_that_broke_off_names_no_host() -> None:
    assert hostname(Answered(body=b"task-1", headers=SERVICE), "/hostname", {}, EOFError()) == NAMED


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answered(x_hostname="a", x_upstream_hostname="b"), ("a", "b", "a > b")),
        (Answered(x_hostname="a", x_upstream_hostname=""), ("a", NOBODY, "a > ?")),
        (Answered(x_upstream_hostname="b"), (NOBODY, "b", "? > b")),
        (Answered(), (NOBODY, NOBODY, NOBODY)),
        (None, (NOBODY, NOBODY, NOBODY)),
    ],
)
def test_who_called_whom(answer: Answered | None, expected: tuple[str, str, str]) -> None:
    url = "http://127.0.0.1/call?service=orders&path=/hostname"
    assert tuple(key(answer, url, {}, None) for key in (hostname, upstream, pair)) == expected


def test_the_zones_of_both_are_beside_them() -> None:
    answer = Answered(x_hostname="a", x_availability_zone="2a", x_upstream_availability_zone="2b")
    details = [key.detail(answer, "", {}, None) for key in map(parse, KEYS)]  # type: ignore[attr-defined]
    assert details == ["2b", "2a > 2b"]
    assert [key.detail(None, "", {}, None) for key in map(parse, KEYS)] == ["", ""]  # type: ignore[attr-defined]
    assert pair_zones(Answered(x_availability_zone="2a"), "", {}, None) == "2a > ?"


def test_the_zone_is_in_a_header() -> None:
    answers = [Answered(headers=SERVICE), Answered(), None, Answered(x_availability_zone="<b>")]
    assert [zone(answer, "", {}, None) for answer in answers] == ["eu-west-2a", "", "", ""]
