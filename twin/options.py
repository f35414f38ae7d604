"""What `twin up` was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from twin.credentials import Credentials
from twin.parameters import Parameters

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """What `twin up` was asked for.

    Attributes:
        synth: `cdktf.out`, or one cdk.tf.json; None: `cdktf.out`, or where the service is the user's own, a stack made
            for it.
        empty: deploy nothing, so that others can.
        region: of the endpoint, where nothing is deployed; None: that of `synth`, else of the environment.
        state: the state folder.
        port: the gateway's.
        aws_port: the endpoint's.
        parameters: what the twin assumes.
        jwt_issuer: where the issuer of a JWT authorizer is on this machine; None: at its own address.
        command: the service's command line; None: the CMD of the Dockerfile in the current folder.
        programs: the twin.toml that names programs; None: the one beside the stack, or in the current folder.
        program: each `FAMILY[/CONTAINER]=COMMAND`, before what twin.toml says.
        reload: deploy a service anew when the files of its program change.
        routes: route keys of the stack that is made; None: every path.
        health: a path or a command, its health check; None: it has none.
        register_when_healthy: whether a task of the stack that is made is registered only once it is HEALTHY.
        name_tasks: whether proxies name the task in `x-hostname` where its answer does not.
        then: a command to run once the twin serves; the twin goes down when it ends. None: stay up.
        with_parent: go down when the process that started this one is no more.
        credentials: what the endpoint and the commands of this twin take.
        allow_origin: origins of pages in a browser that may ask the endpoint.
    """

    synth: Path | None
    state: Path
    port: int
    aws_port: int
    parameters: Parameters
    command: str | None = None
    programs: Path | None = None
    program: Sequence[str] = ()
    reload: bool = False
    routes: str | None = None
    health: str | None = None
    register_when_healthy: bool = False
    name_tasks: bool = False
    jwt_issuer: str | None = None
    then: Sequence[str] | None = None
    empty: bool = False
    region: str | None = None
    with_parent: bool = False
    credentials: Credentials = field(default_factory=Credentials.new)
    allow_origin: Sequence[str] = ()
