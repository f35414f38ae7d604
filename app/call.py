"""`GET /call`: call another service by the name under which Service Connect has it, and say who answered.

Only services that UPSTREAMS names can be called, by GET, and without one the route does not exist: who may call this
service may not have it call anything else (server-side request forgery). Retries are not made here, for Service
Connect's client proxy makes them.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from http.cookiejar import DefaultCookiePolicy

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.parameters import BadParameter, one_of, whole_number

MAX_CALLS = 10
# Below API Gateway's 30 s, so that the caller's answer is the one that the client gets.
MAX_TIMEOUT_MS = 29_000
# Read and dropped; a longer answer is given up. With MAX_CALLS it bounds what one request can set off.
MAX_ANSWER_BYTES = 1_000_000
# What is left of the time, in milliseconds: needs no clocks that agree, as gRPC's timeout does not.
TIMEOUT_HEADER = "x-timeout-ms"
# How many calls one request has led to, so that services that call each other multiply them no further than MAX_CALLS.
CALLS_HEADER = "x-calls"
UPSTREAM_HEADER = "x-upstream-hostname"
UPSTREAM_ZONE_HEADER = "x-upstream-availability-zone"
# More wait for one that is free, until their time is up.
MAX_CONNECTIONS = 500
# Shorter than the 300 s after which Service Connect's proxy closes an idle connection.
KEEPALIVE_S = 60.0

_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]{0,1000}", re.ASCII)
# What an upstream says of itself goes into a header of this service's answer.
_NAME = re.compile(r"[A-Za-z0-9._-]{1,253}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one call: of the upstream's task by its `x-hostname`, or why nothing did.

    Args:
        availability_zone: the task's, "" as the name where it does not say it, or no plausible one.
        status: the upstream's, or its proxy's; None without an answer.
        duration_ms: until the last byte, or until it failed.
        error: None for an answer below 500.
        timed_out: whether the time was up.
    """

    hostname: str
    availability_zone: str
    status: int | None
    duration_ms: float
    error: str | None = None
    timed_out: bool = False


class Upstreams:
    """The services that may be called, and connections to them."""

    def __init__(self, urls: Mapping[str, str], transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.urls = urls
        self._transport = transport
        self._clients: dict[bool, httpx.AsyncClient] = {}

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Connections are made on demand within, and closed at its end."""
        for reuse in (True, False):
            limits = httpx.Limits(
                max_connections=MAX_CONNECTIONS,
                max_keepalive_connections=MAX_CONNECTIONS if reuse else 0,
                keepalive_expiry=KEEPALIVE_S,
            )
            # A proxy that is set for the way out would not find a client alias.
            client = httpx.AsyncClient(limits=limits, trust_env=False, transport=self._transport)
            client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))  # an answer leaves nothing behind
            self._clients[reuse] = client
        try:
            yield
        finally:
            for client in self._clients.values():
                await client.aclose()

    async def call(self, service: str, path: str, timeout_s: float, reuse: bool, calls: int) -> Answer:
        """GET *path* of *service*, on a connection of its own unless *reuse*; one of so many *calls*."""
        began = time.monotonic()
        hostname, zone, status = "", "", None
        error, timed_out = None, False
        headers = {TIMEOUT_HEADER: str(int(timeout_s * 1000)), CALLS_HEADER: str(calls)}
        if not reuse:
            headers["connection"] = "close"
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._clients[reuse].stream("GET", self.urls[service] + path, headers=headers, timeout=None) as answer,
            ):
                status = answer.status_code
                hostname, zone = (_named(answer.headers, name) for name in ("x-hostname", "x-availability-zone"))
                size, text = 0, b""
                async for chunk in answer.aiter_raw():
                    size += len(chunk)
                    text = (text + chunk)[:200]
                    if size > MAX_ANSWER_BYTES:
                        error = f"the answer is longer than {MAX_ANSWER_BYTES} bytes"
                        break
            if status >= 500:
                error = f"it answered {status}: {text.decode(errors='replace')}"
                timed_out = status == 504
        except TimeoutError:
            error, timed_out = f"no answer within {timeout_s:.3f} s", True
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            error = f"{type(failure).__name__}: {failure}"
        return Answer(hostname, zone, status, round((time.monotonic() - began) * 1000, 3), error, timed_out)


def _named(headers: httpx.Headers, name: str) -> str:
    value = headers.get(name, "")
    return value if _NAME.fullmatch(value) else ""


async def call_upstream(request: Request) -> Response:
    """Call `path` of `service`, `times` at once; 502 if one failed, 504 if one had no time left.

    Parameters: `service` (a name of UPSTREAMS), `path` (/hostname), `times` (1 to 10), `reuse` of connections (on or
    off), `timeout_ms` (1 to 29,000). A shorter time in the header x-timeout-ms wins, and the time is passed on in it.
    So is the number of calls in x-calls: where a path leads to another `/call`, both together make 10 at most.
    """
    upstreams: Upstreams = request.app.state.upstreams
    service = one_of(request, "service", upstreams.urls)
    path = request.query_params.get("path", "/hostname")
    if not _PATH.fullmatch(path) or path.startswith("//"):
        raise BadParameter(f"path is {path!r}: it must begin with one slash and have what a URL may have, encoded.")
    times = whole_number(request.query_params, "times", MAX_CALLS, least=1, default=1)
    calls = times * whole_number(request.headers, CALLS_HEADER, MAX_CALLS, least=1, default=1)
    if calls > MAX_CALLS:
        raise BadParameter(f"times is {times}: with the calls before ({CALLS_HEADER}) it must be {MAX_CALLS} at most.")
    reuse = one_of(request, "reuse", ("on", "off"), default="on") == "on"
    timeout_ms = whole_number(request.query_params, "timeout_ms", MAX_TIMEOUT_MS, least=1, default=MAX_TIMEOUT_MS)
    timeout_ms = min(timeout_ms, whole_number(request.headers, TIMEOUT_HEADER, 10**8, default=MAX_TIMEOUT_MS))
    answers = await asyncio.gather(
        *(upstreams.call(service, path, timeout_ms / 1000, reuse, calls) for _ in range(times))
    )
    failed = [answer for answer in answers if answer.error]
    status = 200 if not failed else 504 if any(answer.timed_out for answer in failed) else 502
    body = {
        "hostname": request.app.state.identity.hostname,
        "service": service,
        "path": path,
        **({"error": f"{service}: {failed[0].error}"} if failed else {}),
        "calls": [asdict(answer) for answer in answers],
    }
    named = [answer for answer in answers if answer.hostname]
    headers = {
        UPSTREAM_HEADER: ", ".join(answer.hostname for answer in named),
        UPSTREAM_ZONE_HEADER: ", ".join(answer.availability_zone for answer in named),
    }
    return JSONResponse(body, status_code=status, headers=headers)
