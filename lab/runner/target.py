"""What is measured, as an outputs file names it; of a twin that it is on, the credentials and the control path."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import ipaddress
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import httpx
from pydantic import BaseModel, Field, ValidationError

from lab.errors import BadInput, Missing
from lab.experiments.catalogue import GATEWAY, UPSTREAM
from lab.records.run import Accident, loaded
from load.traffic.target import Target as Outputs
from load.traffic.target import read_outputs

_NEEDED = ("gateway_url", "region", "cluster_name", "service_name")


class Target(Outputs):
    """A deployed stack, by its outputs `file`; of one that a twin was asked for, where that file would be."""

    file: Path

    @property
    def is_twin(self) -> bool:
        """Whether it is on this machine, where more can be done to it than AWS's API offers."""
        return bool(self.aws_endpoint_url)


class Incomplete(BadInput):
    """The outputs file is absent, or lacks an output."""


def call_path(target: Target, path: str) -> str:
    """By which another service is asked to call *path* of *target*'s: `GET /call`, as `app/` has it."""
    return f"/call?service={target.discovery_name}&path={quote(path, safe='/')}"


def read_target(path: Path) -> Target:
    """The target that an outputs file names.

    Raises Incomplete; BadInput: the file is malformed, holds other than one stack, or is of a twin that is not found.
    """
    if not path.exists():
        # Make's twins at other ports are beside it, as .twin.8100.
        others = sorted(map(str, path.parent.parent.glob(".twin*/outputs.json")))
        such = f", such as {others[0]}" if others else ""
        state = f" --state {path.parent}" if path.parent.name.startswith(".twin.") else ""
        raise Incomplete(
            f"{path} is not there: start the twin with `twin up{state}`, or name an outputs file with --target{such}. "
            "`make deploy` writes this project's; of a stack of your own `terraform output -json` does, with the "
            f"outputs {', '.join(_NEEDED)}."
        )
    outputs = loaded(lambda file: read_outputs(file, "--target"), path)
    if missing := [name for name in _NEEDED if not getattr(outputs, name)]:
        raise Incomplete(
            f"{path} has no output {', '.join(missing)}: {', '.join(_NEEDED)} are needed, the names as ECS has them."
        )
    target = Target(**outputs.model_dump(), file=path)
    if not target.aws_endpoint_url and _is_on_this_machine(target.gateway_url):
        return target.model_copy(update={"aws_endpoint_url": _endpoint_here(target)})
    return target


def _is_on_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")


def _endpoint_here(target: Target) -> str:
    """The AWS endpoint of the twin that *target*'s gateway is of, for Terraform knows none.

    Raises BadInput: no twin is found.
    """
    found = [running.aws_endpoint_url for _, running in _running(target.file)]
    if endpoint := next(iter(found), os.environ.get("AWS_ENDPOINT_URL")):
        return endpoint
    raise BadInput(
        f"{target.file}: the gateway_url {target.gateway_url} is on this machine, but no twin runs in .twin or beside "
        'the file: run `eval "$(twin env --state FOLDER)"` in this terminal, or add the output aws_endpoint_url.'
    )


def calling(target: Target, service: str) -> Target:
    """*target* with the further service of its stack of that name as the one under test.

    Raises BadInput: the stack has none of that name.
    """
    if service not in target.further:
        names = ", ".join([GATEWAY, UPSTREAM, *target.further])
        raise BadInput(
            f"--hop {service} is no hop of the stack {target.stack}, which has {names}: a further service has an "
            "output <name>_service_name."
        )
    of = {"service_name": service, "discovery_name": target.further[service], "comparison_url": ""}
    return target.model_copy(update=of)


class TwinCredentials(BaseModel):
    """What signs calls to a twin's AWS endpoint, and the token for its control path."""

    access_key: str
    secret_key: str = Field(repr=False)
    token: str = Field(repr=False)


class _OfState(TwinCredentials):
    """The same as the twin's file has them, with the state folder of the twin that they are of."""

    state: Path


class Running(BaseModel):
    """What a twin's state folder says of it, in twin.json."""

    aws_endpoint_url: str
    region: str
    credentials_file: Path


_BEGINS_WITHIN, _SERVES_WITHIN, _POLL = 1.0, 600.0, 0.1  # seconds; the first two as of the twin's own commands


def is_state(folder: Path, outputs: Path) -> bool:
    """Whether *folder* is the state of a twin; of one that was started beside, once it has begun.

    Nobody waits where there are *outputs* already.
    """
    deadline = time.monotonic() + _BEGINS_WITHIN
    while not (there := (folder / "twin.json").exists()) and not outputs.exists():
        if time.monotonic() > deadline and not _is_about_to_begin(folder):
            break
        time.sleep(_POLL)
    return there


def _is_about_to_begin(state: Path) -> bool:
    """Whether a `twin up` that has not begun yet has announced itself: by a lock, as twin.machine.state has it."""
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = Path(base if os.path.isabs(base) and os.path.isdir(base) else tempfile.gettempdir())
    name = f"{hashlib.sha256(os.fsencode(state.resolve())).hexdigest()[:16]}.begins"
    try:
        path = folder / f"twin-{os.getuid()}" / name
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)) as announcement:
            fcntl.flock(announcement, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there is none
        pass
    return False


def started(state: Path, say: Callable[[str], object]) -> Running:
    """The twin whose state folder is *state*, once it has started; that it is waited for is told to *say*, in a line.

    Raises Missing: it ended before, or has not started within ten minutes; one that cannot gives up earlier.
    """
    deadline, file, told = time.monotonic() + _SERVES_WITHIN, state / "twin.json", False
    while True:
        try:
            content = file.read_bytes()
            pid = _Starting.model_validate_json(content).pid
            with contextlib.suppress(ValidationError):  # what else it tells it has when it serves
                return Running.model_validate_json(content)
            os.kill(pid, 0)
        except (OSError, ValidationError):
            raise Missing(f"The twin in {state} ended before it served: {_why_ended(state)}") from None
        if time.monotonic() > deadline:
            raise Missing(f"The twin in {state} does not serve within {_SERVES_WITHIN:g} s: see `twin events`.")
        if not told:
            say(f"waiting until the twin in {state} serves, {_SERVES_WITHIN:g} s at most")
        told = True
        time.sleep(_POLL)


class _Starting(BaseModel):
    """What twin.json says from the beginning."""

    pid: int


def silence(where: str, error: Exception, outputs: Path) -> str:
    """Why the twin at *where* does not answer: it has ended, as the folder with its *outputs* says, or the *error*."""
    state = outputs.parent
    if (state / _EVENTS).exists() and not _goes_on(state):
        return f"The twin in {state} has ended meanwhile: {_why_ended(state)}"
    return f"{where} does not answer ({error}): is it up?"


def _goes_on(state: Path) -> bool:
    with contextlib.suppress(OSError, ValidationError):
        os.kill(_Starting.model_validate_json((state / "twin.json").read_bytes()).pid, 0)
        return True
    return False


_EVENTS, _TAIL, _LONGEST = "events.jsonl", 65_536, 1_000  # bytes at the end of the event log; characters


class _GaveUp(BaseModel):
    """What the event log has of a twin that ended by itself."""

    kind: Literal["twin"]
    step: Literal["gave up"]
    message: str


def _why_ended(state: Path) -> str:
    lines: list[bytes] = []
    with contextlib.suppress(OSError), (state / _EVENTS).open("rb") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL))
        lines = log.read(_TAIL).splitlines()
    for line in reversed(lines):
        with contextlib.suppress(ValidationError):
            message = _GaveUp.model_validate_json(line).message[:_LONGEST]
            return "".join(character for character in message if character.isprintable())
    return "what `twin up` printed says why."


def _running(outputs: Path) -> Iterator[tuple[Path, Running]]:
    """The twins whose state folder is where *outputs* are, or the one here, each with that folder."""
    for folder in (outputs.parent, Path(".twin")):
        with contextlib.suppress(OSError, ValidationError):
            yield folder, Running.model_validate_json((folder / "twin.json").read_bytes())


def twin_credentials(endpoint_url: str, outputs: Path) -> TwinCredentials:
    """Those of the twin at *endpoint_url*: by its state folder, where *outputs* are or the one here; or by `twin env`.

    A file that came from elsewhere has them sent nowhere else: a state folder names those of its own twin alone, and
    `twin env` the endpoint that its variables are for.

    Raises Missing: they are in none of these. Raises BadInput: the endpoint is not on this machine.
    """
    if not _is_on_this_machine(endpoint_url):
        raise BadInput(
            f"{outputs}: the endpoint {endpoint_url[:200]} is not on this machine, and a twin's is: name the outputs "
            "file that `twin up` wrote, or leave aws_endpoint_url out for AWS."
        )
    for folder, running in _running(outputs):
        with contextlib.suppress(OSError, ValidationError):
            if running.aws_endpoint_url == endpoint_url:
                found = _OfState.model_validate_json(running.credentials_file.read_bytes())
                if found.state == folder.resolve():
                    return found
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if key and secret and os.environ.get("AWS_ENDPOINT_URL", "").rstrip("/") == endpoint_url:
        return TwinCredentials(access_key=key, secret_key=secret, token=os.environ.get("TWIN_TOKEN", ""))
    raise Missing(
        f"The credentials of the twin at {endpoint_url} are not found: is it up, and yours? Run "
        '`eval "$(twin env)"` in this terminal (with --state, where it has one of its own).'
    )


# The control path: faults that no AWS API can make, and parameters

_NO_MATTER = 1.0  # seconds for which another kind of fault holds each request
_TIMEOUT = 60.0  # seconds: a change of parameters waits until the gateway has it


class TwinControl:
    """The control path of the twin that *target* is, under its AWS endpoint.

    Every method raises Missing where the twin does not answer, and BadInput with its reason where it refuses.
    """

    def __init__(self, target: Target) -> None:
        self._url, self._outputs = f"{target.aws_endpoint_url}/_twin", target.file
        self._token = twin_credentials(target.aws_endpoint_url, target.file).token

    @contextlib.contextmanager
    def fault(self, kind: str, target: str | None, seconds: float | None) -> Iterator[None]:
        """Make a fault at a task (id) or zone; one that lasts ends after *seconds*, or with the context before."""
        self._ask("fault", {"kind": kind, "target": target, "seconds": seconds, "delay": _NO_MATTER})
        try:
            yield
        finally:
            if seconds is not None:
                with contextlib.suppress(BadInput):  # it has ended by itself
                    self._ask("undo", {"kind": kind, "target": target})

    def accidents(self) -> list[Accident]:
        """What the twin itself has lost: the last thousand, the oldest first."""
        return [Accident(**entry) for entry in self._ask("accidents", {})["accidents"]]

    def parameters(self) -> dict[str, Any]:
        """All parameters as they are now, by name."""
        return self.set({})

    def age(self, seconds: float) -> None:
        """Let the gateway's answer of Cloud Map be so many seconds old."""
        self._ask("age", {"seconds": seconds})

    def set(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Change parameters; all of them as they are then."""
        return self._ask("set", {"assignments": in_words(values).split()})

    def _ask(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        try:
            headers = {"authorization": f"Bearer {self._token}"}
            answer = httpx.post(
                f"{self._url}/{operation}", json=request, headers=headers, timeout=_TIMEOUT, trust_env=False
            )
            content = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Missing(silence(f"The twin at {self._url}", error, self._outputs)) from None
        if not answer.is_success:
            raise BadInput(f"The twin refuses: {content.get('message')}")
        return dict(content)


def in_words(values: Mapping[str, Any]) -> str:
    """Parameters as `twin set` takes them."""
    flags = {True: "on", False: "off"}
    return " ".join(
        f"{name}={flags[value] if isinstance(value, bool) else f'{value:g}' if isinstance(value, float) else value}"
        for name, value in values.items()
    )
