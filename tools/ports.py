"""Which of the ports that make was given cannot be listened at: `ports.py NAME=PORT...`.

Asked before anything is installed, so it runs by whatever Python the machine has.
"""

from __future__ import annotations

import errno
import re
import socket
import sys


def trouble(name: str, port: str) -> str:
    """Why this machine's loopback cannot be listened at; "" where it can."""
    if not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        return f"{name}={port} is no port: give a number from 1 to 65535, such as {name}=8100."
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", int(port)))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return (
                    f"Port {port} is taken: end what listens there (`.venv/bin/twin down`, where it is this folder's "
                    f"twin), or give another as {name}=PORT of make."
                )
            return f"{name}={port} cannot be listened at ({error.strerror}): give another."
    return ""


def wanted_twice(words: list[str]) -> list[str]:
    """A sentence for each port that two settings come to."""
    names: dict[str, list[str]] = {}
    for name, _, port in (word.partition("=") for word in words):
        names.setdefault(port, []).append(name)
    return [
        f"Port {port} is wanted twice, by {' and '.join(own)}: give each its own (`make compare` also takes the port"
        " after each, for its second twin)."
        for port, own in names.items()
        if len(own) > 1
    ]


if __name__ == "__main__":
    words = list(dict.fromkeys(sys.argv[1:]))
    sys.exit("\n".join(filter(None, [*(trouble(*word.split("=", 1)) for word in words), *wanted_twice(words)])) or 0)
