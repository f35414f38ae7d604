"""What comes to /_twin/ is checked before anything is done."""

from __future__ import annotations

import math
from typing import Any

import pytest

from twin.errors import BadInput
from twin.remote import check

FAULT = {"kind": "slow", "target": None, "seconds": None, "delay": 1}


@pytest.mark.parametrize(
    ("operation", "request_body"),
    [
        ("set", {"assignments": []}),
        ("set", {"assignments": ["discovery-ttl=0"]}),
        ("fault", FAULT),
        ("fault", {**FAULT, "target": "0a1b", "seconds": 2.5}),
        ("undo", {"kind": "slow", "target": None}),
        ("stop", {"task": "0a1b", "reason": "to see"}),
        ("exec", {"task": "0a1b", "container": None, "command": ["env"]}),
        ("gateway", {}),
        ("age", {"seconds": 0}),
        ("age", {"seconds": 10**400}),
    ],
)
def test_what_the_commands_send_is_taken(operation: str, request_body: Any) -> None:
    check(operation, request_body)


@pytest.mark.parametrize(
    ("operation", "request_body", "message"),
    [
        ("sing", {}, "sing is no operation of the twin: give one of set, "),
        ("set", [], "The request is no JSON object"),
        ("set", {}, "assignments is missing: it is a list of texts"),
        ("set", {"assignments": 5}, "assignments must be a list of texts, is 5"),
        ("set", {"assignments": ["a", 5]}, "assignments must be a list of texts"),
        ("fault", {**FAULT, "kind": None}, "kind must be a text, is null"),
        ("fault", {**FAULT, "target": 7}, "target must be a text or null, is 7"),
        ("fault", {**FAULT, "seconds": "2"}, 'seconds must be a number or null, is "2"'),
        ("fault", {**FAULT, "delay": True}, "delay must be a number, is true"),
        ("fault", {**FAULT, "delay": None}, "delay must be a number, is null"),
        ("stop", {"task": "0a1b"}, "reason is missing"),
        ("age", {"seconds": -1}, "seconds must be 0 or more, is -1"),
        ("age", {"seconds": -math.inf}, "seconds must be a number, is -Infinity"),
        ("age", {"seconds": math.inf}, "seconds must be a number, is Infinity"),
        ("age", {"seconds": math.nan}, "seconds must be a number, is NaN"),
        ("fault", {**FAULT, "seconds": math.nan}, "seconds must be a number or null, is NaN"),
    ],
)
def test_anything_else_is_refused_by_name(operation: str, request_body: Any, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        check(operation, request_body)

    assert str(refused.value).startswith(message)
