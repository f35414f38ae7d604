"""How the commands reach a running twin: `POST /_twin/<operation>` at its endpoint, JSON there and back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from twin.errors import BadInput, NotUp

__all__ = ["PATH", "ask", "check"]

PATH = "/_twin/"
# The members of each operation's request, all of them required, and what each may be.
_TEXT, _NUMBER, _TEXTS = "a text", "a number", "a list of texts"
_REQUESTS: Mapping[str, Mapping[str, str]] = {
    "set": {"assignments": _TEXTS},
    "age": {"seconds": _NUMBER},
    "fault": {"kind": _TEXT, "target": f"{_TEXT} or null", "seconds": f"{_NUMBER} or null", "delay": _NUMBER},
    "undo": {"kind": _TEXT, "target": f"{_TEXT} or null"},
    "stop": {"task": _TEXT, "reason": _TEXT},
    "exec": {"task": _TEXT, "container": f"{_TEXT} or null", "command": _TEXTS},
    "gateway": {},
    "accidents": {},
}
_TIMEOUT = 60.0  # seconds: a change of parameters waits until the gateway has it


def check(operation: str, request: Any) -> None:
    """Check what has come to `/_twin/<operation>`.

    Raises:
        BadInput: there is no such operation, or its request lacks a member or has one of another type.
    """
    if operation not in _REQUESTS:
        raise BadInput(f"{operation} is no operation of the twin: give one of {', '.join(_REQUESTS)}.")
    if not isinstance(request, dict):
        raise BadInput("The request is no JSON object.")
    for name, kind in _REQUESTS[operation].items():
        if name not in request:
            raise BadInput(f"{name} is missing: it is {kind}.")
        if not _is(kind, request[name]):
            raise BadInput(f"{name} must be {kind}, is {json.dumps(request[name])}.")
    if operation == "age" and request["seconds"] < 0:
        raise BadInput(f"seconds must be 0 or more, is {request['seconds']}.")


def _is(kind: str, value: Any) -> bool:
    kind, _, null = kind.partition(" or ")
    if null and value is None:
        return True
    if kind == _NUMBER:
        return isinstance(value, int | float) and not isinstance(value, bool) and -math.inf < value < math.inf
    if kind == _TEXTS:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    return isinstance(value, str)


def ask(running: dict[str, Any], operation: str, **request: Any) -> dict[str, Any]:
    """Have the twin that tells *running* of itself do *operation*.

    Raises:
        BadInput: it refuses; the text is its own.
        NotUp: it does not answer.
    """
    host = urlsplit(running["aws_endpoint_url"]).netloc
    connection = HTTPConnection(host, timeout=_TIMEOUT)
    try:
        headers = {"content-type": "application/json", "authorization": f"Bearer {running['credentials'].token}"}
        connection.request("POST", PATH + operation, json.dumps(request), headers)
        answer = connection.getresponse()
        content: dict[str, Any] = json.loads(answer.read())
    except (OSError, ValueError) as error:
        raise NotUp(f"The twin at {host} does not answer ({error}).") from None
    finally:
        connection.close()
    if answer.status != 200:
        raise BadInput(content["message"])
    return content
