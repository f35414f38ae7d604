"""FastAPI on uvicorn: `python examples/fastapi_service.py`."""

import os
import signal
import sys
import threading
from types import FrameType

import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.middleware.base import RequestResponseEndpoint

app = FastAPI()


@app.get("/ready")
def ready() -> str:
    return "ready"


@app.get("/orders/{number}")
def order(number: int) -> dict[str, int]:
    return {"order": number}


@app.middleware("http")
async def name_host(request: Request, call_next: RequestResponseEndpoint) -> Response:
    response = await call_next(request)
    response.headers["x-hostname"] = os.environ["HOSTNAME"]
    return response


class Server(uvicorn.Server):
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Serve on after SIGTERM: the gateway sends requests until its cache of the tasks has expired."""
        seconds = float(os.environ.get("DRAIN_SECONDS", "20")) if sig == signal.SIGTERM else 0
        threading.Timer(seconds, super().handle_exit, (sig, frame)).start()


def leave(number: int, frame: FrameType | None) -> None:
    sys.exit()


if __name__ == "__main__":
    # When uvicorn has ended it raises the signal again. Without a handler that would end the process before what is
    # done at its exit, such as sending OpenTelemetry's last spans.
    signal.signal(signal.SIGTERM, leave)
    # timeout_keep_alive: longer than the proxy's 300 s, so that never the service closes a connection in use.
    host, port = os.environ.get("HOST", "0.0.0.0"), int(os.environ["PORT"])
    Server(uvicorn.Config(app, host=host, port=port, timeout_keep_alive=310, access_log=False)).run()
