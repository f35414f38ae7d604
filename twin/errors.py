"""The errors of the twin, each with the exit code that `twin` ends with.

TwinError
├── BadInput             2   the user gave something that cannot be used
│   ├── BadStack         2   a cdk.tf.json that is absent, malformed, or lacks what the twin needs
│   ├── PortTaken        2   another program listens where the twin should
│   └── AlreadyUp        2   another twin runs on this state folder
├── Missing              3   the environment lacks something; the message says what to install
├── NotUp                2   no twin runs on this state folder
└── StartFailed          3   a process did not become ready; the message says where its log is

Terminated               128 + the signal's number: the start was ended from outside. Nothing but `main` catches it
"""

from __future__ import annotations

import signal

__all__ = [
    "AlreadyUp",
    "BadInput",
    "BadStack",
    "Missing",
    "NotUp",
    "PortTaken",
    "StartFailed",
    "Terminated",
    "TwinError",
]


class TwinError(Exception):
    """One clear sentence for the user: the value, the rule and the way out."""

    exit_code = 2


class BadInput(TwinError):
    """The user gave something that cannot be used."""


class BadStack(BadInput):
    """A cdk.tf.json that is absent, malformed, or lacks what the twin needs."""


class PortTaken(BadInput):
    """Another program listens where the twin should."""


class AlreadyUp(BadInput):
    """Another twin runs on this state folder."""


class NotUp(TwinError):
    """No twin runs on this state folder."""


class Missing(TwinError):
    """The environment lacks something, and the message says what to install."""

    exit_code = 3


class StartFailed(TwinError):
    """A process did not become ready; the message says where its log is."""

    exit_code = 3


class Terminated(BaseException):
    """A signal came while the twin was starting."""

    def __init__(self, number: int) -> None:
        super().__init__(f"Ended by {signal.Signals(number).name} before it served.")
        self.exit_code = 128 + number
