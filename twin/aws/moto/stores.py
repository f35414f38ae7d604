"""moto's stores: AWS's records behind the endpoint, which the event loop and the endpoint's threads share.

moto locks nothing. So whoever reads or changes a store holds `LOCK`, for milliseconds: `locked` for a method, and
`Serialized` for moto itself, whose requests come one after the other.
"""

from __future__ import annotations

import functools
import io
import json
import threading
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar

from botocore.model import OperationNotFoundError
from moto.backends import get_backend
from werkzeug.wrappers import Request, Response

from twin.aws.malformed import what_is_wrong
from twin.aws.protocol import error, protocol_of, service_of
from twin.events import report

__all__ = ["LOCK", "Serialized", "has_region", "locked"]

_FORM = "application/x-www-form-urlencoded"
_CODES = {404: "NotFoundException", 405: "MethodNotAllowed"}
# What a service calls a request that lacks a member; the others say ValidationException.
_MALFORMED = {
    "apigateway": "BadRequestException",
    "ec2": "MissingParameter",
    "ecr": "InvalidParameterException",
    "elasticloadbalancing": "ValidationError",
    "iam": "ValidationError",
    "logs": "InvalidParameterException",
    "servicediscovery": "InvalidInput",
    "sts": "ValidationError",
}

LOCK = threading.RLock()

P = ParamSpec("P")
R = TypeVar("R")


def locked(method: Callable[P, R]) -> Callable[P, R]:
    """*method*, which holds the lock while it runs. It may not wait for anything."""

    @functools.wraps(method)
    def holding(*args: P.args, **kwargs: P.kwargs) -> R:
        with LOCK:
            return method(*args, **kwargs)

    return holding


def has_region(account: str, region: str) -> bool:
    """Whether there are stores for *region*."""
    try:
        for service in ("ec2", "servicediscovery", "apigatewayv2", "elbv2"):
            get_backend(service)[account][region]
    except KeyError:
        return False
    return True


class Serialized:
    """moto's WSGI application, with the lock held while a request is answered, and not while its body arrives.

    Where moto itself fails, or answers with a page, the answer is an error as AWS words it.
    """

    def __init__(self, moto: Any) -> None:
        self._moto = moto

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        body = request.get_data()
        environ["wsgi.input"] = io.BytesIO(body)
        try:
            answer_it = self._moto.get_application(environ)  # imports a service when it is first asked: not in the lock
            answer_it.config["PROPAGATE_EXCEPTIONS"] = True
            with LOCK:
                answer = Response.from_app(answer_it, environ, buffered=True)
            if not _is_page(answer):
                return answer(environ, start_response)
            text = f"The twin's endpoint has no operation at {request.method} {request.path}."
            refusal = _error(request, answer.status_code, _CODES.get(answer.status_code, "BadRequest"), text)
        except (NotImplementedError, OperationNotFoundError) as unknown:
            refusal = _error(request, 400, "InvalidAction", f"The twin does not have this operation ({unknown}).")
        except Exception as failure:
            if request.mimetype != _FORM and body and not _is_object(body):
                refusal = _error(request, 400, "SerializationException", "The request is no JSON object.")
            elif wrong := what_is_wrong(request, body):
                code = _MALFORMED.get(service_of(request), "ValidationException")
                refusal = _error(request, 400, code, wrong)
            else:
                report(f"moto, asked {request.headers.get('X-Amz-Target') or request.path},", failure, answered=True)
                text = f"moto, behind the twin's endpoint, has failed ({type(failure).__name__}: {failure})."
                refusal = _error(request, 500, "InternalFailure", text)
        return refusal(environ, start_response)


def _is_page(answer: Response) -> bool:
    """Whether it is an error of the web framework's, for people and not for a client."""
    page = answer.mimetype == "text/html" and answer.status_code >= 400
    return page and not answer.get_data().lstrip().startswith((b"{", b"<?xml", b"<Error"))


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


def _error(request: Request, status: int, code: str, message: str) -> Response:
    return error(protocol_of(request, service_of(request)), status, code, message)
