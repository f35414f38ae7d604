"""How the commands reach a running twin: `POST /_twin/<operation>` at its endpoint, JSON there and back."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from twin.errors import BadInput, NotUp

__all__ = ["PATH", "ask", "endpoint_of"]

PATH = "/_twin/"
_TIMEOUT = 60.0  # seconds: a change of parameters waits until the gateway has it


def endpoint_of(running: dict[str, Any]) -> str:
    """The URL of the endpoint of the twin that tells *running* of itself.

    Raises:
        NotUp: it is still starting.
    """
    if "aws_endpoint_url" not in running:
        raise NotUp(f"The twin (pid {running.get('pid')}) is still starting: try again in a moment.")
    return str(running["aws_endpoint_url"])


def ask(running: dict[str, Any], operation: str, **request: Any) -> dict[str, Any]:
    """Have the twin that tells *running* of itself do *operation*.

    Raises:
        BadInput: it refuses; the text is its own.
        NotUp: it does not answer, or is still starting.
    """
    host = urlsplit(endpoint_of(running)).netloc
    connection = HTTPConnection(host, timeout=_TIMEOUT)
    try:
        connection.request("POST", PATH + operation, json.dumps(request), {"content-type": "application/json"})
        answer = connection.getresponse()
        content: dict[str, Any] = json.loads(answer.read())
    except (OSError, ValueError) as error:
        raise NotUp(f"The twin at {host} does not answer ({error}).") from None
    finally:
        connection.close()
    if answer.status != 200:
        raise BadInput(content["message"])
    return content
