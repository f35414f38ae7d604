"""Errors of the endpoint in the protocol of the request: https://smithy.io/2.0/aws/protocols/index.html"""

from __future__ import annotations

import json
import re
import uuid
from enum import Enum, auto
from xml.sax.saxutils import escape

from werkzeug.wrappers import Request, Response

__all__ = ["Protocol", "error", "protocol_of", "service_of"]

_SCOPE = re.compile(r"Credential=[^/\s]+/\d{8}/[^/]*/([a-z0-9-]+)/aws4_request")
_FORM = "application/x-www-form-urlencoded"
_REST_XML = {"cloudfront", "route53"}


class Protocol(Enum):
    """How a service writes its errors."""

    CBOR = auto()
    JSON = auto()  # the operation is a header
    REST_JSON = auto()
    EC2 = auto()
    QUERY = auto()  # XML, that of REST services included
    S3 = auto()


def service_of(request: Request) -> str:
    """The service that the request is signed for; empty if it is not."""
    found = _SCOPE.search(request.headers.get("Authorization", ""))
    return found[1] if found else ""


def protocol_of(request: Request, service: str) -> Protocol:
    """The protocol of a request to *service*, as far as it shows."""
    form = (request.content_type or "").startswith(_FORM)
    if request.headers.get("smithy-protocol") == "rpc-v2-cbor":
        return Protocol.CBOR
    if "x-amz-target" in request.headers:
        return Protocol.JSON
    if service == "s3":
        return Protocol.S3
    if form and service == "ec2":
        return Protocol.EC2
    return Protocol.QUERY if form or service in _REST_XML else Protocol.REST_JSON


def error(protocol: Protocol, status: int, code: str, message: str) -> Response:
    """The answer with this error."""
    identifier = str(uuid.uuid4())
    headers = {"x-amzn-RequestId": identifier}
    fields = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    match protocol:
        case Protocol.CBOR:
            body = b"\xa2" + b"".join(_cbor(text) for text in ("__type", code, "message", message))
            return Response(body, status, headers | {"smithy-protocol": "rpc-v2-cbor"}, content_type="application/cbor")
        case Protocol.EC2:
            text = f"<Response><Errors><Error>{fields}</Error></Errors><RequestID>{identifier}</RequestID></Response>"
            return Response(text, status, headers, content_type="text/xml")
        case Protocol.S3:
            return Response(f"<Error>{fields}</Error>", status, headers, content_type="application/xml")
        case Protocol.QUERY:
            kind = "Sender" if status < 500 else "Receiver"
            text = f"<Error><Type>{kind}</Type>{fields}</Error><RequestId>{identifier}</RequestId>"
            return Response(f"<ErrorResponse>{text}</ErrorResponse>", status, headers, content_type="text/xml")
    text = json.dumps({"__type": code, "message": message})
    return Response(text, status, headers | {"x-amzn-errortype": code}, content_type="application/x-amz-json-1.1")


def _cbor(text: str) -> bytes:
    """A text of CBOR: major type 3, the length in two bytes (RFC 8949)."""
    content = text.encode()[:0xFFFF]
    return b"\x79" + len(content).to_bytes(2) + content
