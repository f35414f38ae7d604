"""Settings of gunicorn for a task: https://docs.gunicorn.org/en/stable/settings.html"""

import os
import signal
import threading
from types import FrameType
from typing import Any

bind = f"{os.environ.get('HOST', '0.0.0.0')}:{os.environ['PORT']}"
worker_class = "gthread"  # keeps connections open; the default closes one after each request
threads = 8
keepalive = 310  # longer than the proxy's 300 s, so that never the service closes a connection in use
control_socket_disable = True


def when_ready(server: Any) -> None:
    """Serve on after SIGTERM: the gateway sends requests until its cache of the tasks has expired."""
    end: Any = signal.getsignal(signal.SIGTERM)

    def drain(number: int, frame: FrameType | None) -> None:
        threading.Timer(float(os.environ.get("DRAIN_SECONDS", "20")), end, (number, frame)).start()

    signal.signal(signal.SIGTERM, drain)
