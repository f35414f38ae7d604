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
from xml.sax.saxutils import escape

from botocore.model import OperationNotFoundError
from werkzeug.wrappers import Request, Response

from twin.supervision import report

__all__ = ["LOCK", "Serialized", "locked"]

_FORM = "application/x-www-form-urlencoded"

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


class Serialized:
    """moto's WSGI application, with the lock held while a request is answered, and not while its body arrives.

    Where moto itself fails, the answer is an error as AWS words it, and not a page.
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
                return [b"".join(answer_it(environ, start_response))]
        except (NotImplementedError, OperationNotFoundError) as error:
            refusal = _error(request, 400, "InvalidAction", f"The twin does not have this operation ({error}).")
        except Exception as error:
            if request.mimetype != _FORM and body and not _is_object(body):
                refusal = _error(request, 400, "SerializationException", "The request is no JSON object.")
            else:
                report(f"moto, asked {request.headers.get('X-Amz-Target') or request.path},", error)
                text = f"moto, behind the twin's endpoint, has failed ({type(error).__name__}: {error})."
                refusal = _error(request, 500, "InternalFailure", text)
        return refusal(environ, start_response)


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


def _error(request: Request, status: int, code: str, message: str) -> Response:
    """In XML where the request is a form, as those services have it that still speak it; else in JSON."""
    if request.mimetype == _FORM:
        kind = "Sender" if status < 500 else "Receiver"
        text = f"<Type>{kind}</Type><Code>{code}</Code><Message>{escape(message)}</Message>"
        return Response(f"<ErrorResponse><Error>{text}</Error></ErrorResponse>", status, content_type="text/xml")
    return Response(json.dumps({"__type": code, "message": message}), status, content_type="application/x-amz-json-1.1")
