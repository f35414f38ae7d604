"""What a cdk.tf.json may hold: sizes of the file, and types and limits of what the twin itself runs.

Everything else is for the endpoint to check, as it does for any client. References (`${...}`) are known later, so where
one stands instead of a value, that is left to the endpoint too.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import subprocess
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from twin.errors import BadStack
from twin.machine.capacity import most_tasks
from twin.tasks.health import search_path
from twin.tasks.programs import Programs

__all__ = [
    "LARGEST_FILE",
    "check_container_definitions",
    "check_health_checks",
    "check_sections",
    "check_service",
    "check_values",
    "missing_program",
]

LARGEST_FILE = 20 * 1024 * 1024  # bytes
_DEEPEST = 100  # levels of lists and objects; CDKTF's have a dozen
_MOST_RESOURCES = 2_000
_LARGEST_NUMBER = 2**63
_LONGEST_SHOWN = 60  # characters

_Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
_EcsName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,255}$")]
_Reference = Annotated[str, StringConstraints(pattern=r"\$\{")]


_Model = TypeVar("_Model", bound=BaseModel)


class _Checked(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")


class _Variable(_Checked):
    name: Annotated[str, StringConstraints(pattern=r"^[^=\x00]+$")]
    value: _Text


class _HealthCheck(_Checked):
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html"""

    command: Annotated[list[_Text], Field(min_length=1)]
    interval: Annotated[int, Field(ge=5, le=300)] | None = None
    timeout: Annotated[int, Field(ge=2, le=60)] | None = None
    retries: Annotated[int, Field(ge=1, le=10)] | None = None
    startPeriod: Annotated[int, Field(ge=0, le=300)] | None = None


class _Container(_Checked):
    name: _EcsName | _Reference
    image: _Text
    essential: bool | None = None
    environment: list[_Variable] | None = None
    healthCheck: _HealthCheck | None = None


class _Containers(_Checked):
    container_definitions: Annotated[list[_Container], Field(min_length=1)]


class _Service(_Checked):
    name: _EcsName | _Reference
    desired_count: Annotated[int, Field(ge=0)] | _Reference | None = None


def _single(value: Any) -> Any:
    """A block in JSON is an object, or a list with one; Terraform ignores the key `//` in it."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return {key: item for key, item in value.items() if key != "//"} if isinstance(value, dict) else value


_Block = Annotated[dict[str, Any], BeforeValidator(_single)]
_Blocks = Annotated[dict[str, _Block], BeforeValidator(_single)]


class _Output(_Checked):
    value: Any


class _Sections(_Checked):
    """https://developer.hashicorp.com/terraform/language/syntax/json"""

    terraform: _Block | None = None
    provider: _Block | None = None
    variable: _Block | None = None
    locals: _Block | None = None
    module: _Block | None = None
    resource: _Blocks | None = None
    data: _Blocks | None = None
    output: Annotated[dict[str, Annotated[_Output, BeforeValidator(_single)]], BeforeValidator(_single)] | None = None


_FIELDS = {
    name
    for model in (_Containers, _Container, _HealthCheck, _Variable, _Service, _Sections)
    for name in model.model_fields
}


def check_values(content: Mapping[str, Any]) -> str | None:
    """What is wrong with the sizes of what is in the file; None if nothing is."""
    left: list[tuple[Any, int]] = [(content, 1)]
    while left:
        value, depth = left.pop()
        if depth > _DEEPEST:
            return f"it is nested deeper than {_DEEPEST} levels"
        match value:
            case dict():
                left += [(item, depth + 1) for item in value.values()]
                left += [(key, depth) for key in value]
            case list():
                left += [(item, depth + 1) for item in value]
            case str() if "\x00" in value:
                return f"the text {_shown(value)} has a NUL character"
            case str() if any("\ud800" <= character <= "\udfff" for character in value):
                return f"the text {_shown(value)} has half a surrogate pair, which is no character"
            case float() if not math.isfinite(value):
                return f"{value} is no number of JSON"
            case int() if not -_LARGEST_NUMBER <= value < _LARGEST_NUMBER:
                return "a number in it needs more than 64 bits"
    types = content.get("resource")
    resources = sum(len(named) for named in types.values() if isinstance(named, dict)) if isinstance(types, dict) else 0
    return (
        f"it has {resources} resources, and the twin takes {_MOST_RESOURCES}" if resources > _MOST_RESOURCES else None
    )


def check_sections(file: str, content: Mapping[str, Any]) -> None:
    """Refuse sections of a file, or blocks in them, that are of another type than Terraform's.

    Raises:
        BadStack: there is one; the text says which.
    """
    _check(_Sections, file, content)


def check_service(address: str, arguments: Mapping[str, Any]) -> None:
    """Refuse a service that ECS or this machine cannot run.

    Raises:
        BadStack: it cannot be run; the text says why.
    """
    checked = _check(_Service, address, arguments)
    most = most_tasks()
    if isinstance(checked.desired_count, int) and checked.desired_count > most:
        raise BadStack(
            f"{address}: desired_count is {checked.desired_count}, and this machine has memory for {most} tasks: "
            "synthesize the stack with fewer, as in SC_DESIRED_COUNT=3 make synth."
        )


def check_container_definitions(address: str, arguments: Mapping[str, Any]) -> None:
    """Refuse container definitions that no task can be made of.

    Raises:
        BadStack: there is one; the text says which, and why.
    """
    given = arguments.get("container_definitions")
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            return  # a reference may stand there as Terraform writes it; what is no JSON then, is refused then
        if wrong := check_values({"": given}):
            raise BadStack(f"{address}: container_definitions cannot be used, for {wrong}.")
    _check(_Containers, address, {"container_definitions": given})


def check_health_checks(address: str, arguments: Mapping[str, Any], programs: Programs, path: str) -> None:
    """Refuse container definitions whose health checks cannot run here, of the containers that run as *programs* say.

    *path*: where health checks find their programs.

    Raises:
        BadStack: there is one; the text says which, and what it lacks.
    """
    family, given = arguments.get("family"), arguments.get("container_definitions")
    with contextlib.suppress(ValueError):
        given = json.loads(given) if isinstance(given, str) else given
    containers = given if isinstance(given, list) and isinstance(family, str) else []
    for container in containers:
        check, may_be_main = container.get("healthCheck"), bool(container.get("portMappings")) or len(containers) == 1
        if check is None or programs.of(str(family), container["name"], main=may_be_main) is None:
            continue
        if program := missing_program(check["command"], path):
            raise BadStack(
                f"{address}: the health check of the container {container['name']} runs {program}, which is not on "
                "this machine: install it, or give another: SC_HEALTH_CHECK=... make synth, or --health of `twin up`."
            )


def missing_program(command: list[str], path: str) -> str | None:
    """The program of a health check's *command* that cannot be found; None if it can, or nobody can say.

    *path*: where health checks find their programs.
    """
    kind, *words = command
    if kind == "NONE" or not words:
        return None
    word = re.match(r"\s*([\w./+-]+)(?=\s|$)", words[0]) if kind == "CMD-SHELL" else None
    program = word[1] if word else words[0] if kind == "CMD" else None
    if program is None or "${" in program:
        return None
    asked = ["/bin/sh", "-c", 'command -v -- "$0"', program]
    found = subprocess.run(asked, env={"PATH": search_path(path)}, capture_output=True)
    return program if found.returncode else None


def _check(model: type[_Model], address: str, arguments: Mapping[str, Any]) -> _Model:
    try:
        return model.model_validate({key: arguments[key] for key in model.model_fields if key in arguments})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        # Among the steps pydantic has the alternatives of a type as well.
        where = ".".join(str(step) for step in first["loc"] if isinstance(step, int) or step in _FIELDS)
        what = "is missing" if first["type"] == "missing" else f"is {_shown(first['input'])}"
        rule = first["msg"][0].lower() + first["msg"][1:]
        raise BadStack(f"{address}: {where} {what}: {rule}. Mend the stack and run `make synth`.") from None


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."
