"""moto's stores: AWS's records behind the endpoint, which the event loop and the endpoint's threads share.

moto locks nothing. So whoever reads or changes a store holds `LOCK`, for milliseconds: `locked` for a method, and
`Serialized` for moto itself, whose requests come one after the other.
"""

from __future__ import annotations

import functools
import io
import threading
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar

from werkzeug.wrappers import Request

__all__ = ["LOCK", "Serialized", "locked"]

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
    """moto's WSGI application, with the lock held while a request is answered, and not while its body arrives."""

    def __init__(self, moto: Any) -> None:
        self._moto = moto

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["wsgi.input"] = io.BytesIO(Request(environ).get_data())
        answer_it = self._moto.get_application(environ)  # imports a service when it is first asked: not in the lock
        with LOCK:
            return [b"".join(answer_it(environ, start_response))]
