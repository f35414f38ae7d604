"""Read the settings: cdktf.json's context, overridden by environment variables with the prefix ``SC_``."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

from serviceconnect.settings import InvalidSettings, Settings
from serviceconnect.settings.sidecar import Sidecar, sidecars

__all__ = ["CONTEXT_KEY", "PREFIX", "from_project", "read"]

CONTEXT_KEY = "serviceconnect"
PREFIX = "SC_"

# The variable that chooses an environment, and where cdktf.json has them.
ENVIRONMENT = "ENV"
ENVIRONMENTS = "environments"

_EXPECTED = {
    str: "text",
    int: "a whole number",
    bool: "true or false",
    tuple[str, ...]: "a list of texts (in the environment: with commas between)",
    Mapping[str, str]: "a map of texts (in the environment: name=value with commas between, or JSON)",
    tuple[Sidecar, ...]: "a list of containers as objects with name and image (in the environment: as JSON)",
}


class _Unreadable(ValueError):
    """A value that is not of its setting's type; its text, if there is one, says what of it."""


def from_project(folder: Path, environment: Mapping[str, str]) -> Settings:
    """The settings of the project in *folder*; raises InvalidSettings, also for a cdktf.json that is no JSON."""
    path = folder / "cdktf.json"
    try:
        context = json.loads(path.read_text()).get("context", {}).get(CONTEXT_KEY, {})
    except FileNotFoundError:
        raise InvalidSettings([f"{path} is missing: the settings are read from it."]) from None
    except (ValueError, AttributeError) as error:
        raise InvalidSettings([f"{path} must be a JSON object with a context: {error}."]) from None
    if not isinstance(context, dict):
        raise InvalidSettings([f"context.{CONTEXT_KEY} in {path} must be an object of settings."])
    return read(_of_environment(context, environment), environment)


def _of_environment(context: Mapping[str, Any], environment: Mapping[str, str]) -> Mapping[str, Any]:
    """The settings of *context*, and over them those of the environment that the variable ENV names, if any.

    Its name is the stack's with the environment's after it, unless it has one of its own: so its state is another too.
    """
    common = {name: value for name, value in context.items() if name != ENVIRONMENTS}
    chosen = environment.get(ENVIRONMENT, "")
    # POSIX gives the variable to shells, for the path of a file that they read when they start.
    if not chosen or "/" in chosen:
        return common
    known = context.get(ENVIRONMENTS, {})
    where = f"context.{CONTEXT_KEY}.{ENVIRONMENTS} of cdktf.json"
    if not isinstance(known, dict) or not all(isinstance(entry, dict) for entry in known.values()):
        raise InvalidSettings([f"{where} must be an object that has an object of settings for each environment."])
    if chosen not in known:
        there = f"has {', '.join(known)}" if known else "has none"
        raise InvalidSettings([f"{ENVIRONMENT} = {chosen} must be one of {where}, which {there}."])
    name = common.get("name", Settings().name)
    return {**common, "name": f"{name}-{chosen}", **known[chosen]}


def read(context: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """Settings from *context*, then from *environment*; raises InvalidSettings with everything that is wrong.

    An environment variable that is empty counts as not set.
    """
    hints = get_type_hints(Settings)
    known = {field.name: hints[field.name] for field in fields(Settings)}
    values: dict[str, Any] = {}
    problems = []
    for name, value in context.items():
        if name not in known:
            problems.append(_unknown(name, name, known))
            continue
        try:
            values[name] = _from_json(value, known[name])
        except _Unreadable as error:
            problems.append(f"{name} = {json.dumps(value)} must be {_EXPECTED[known[name]]}{_detail(error)}.")
    for variable, text in sorted(environment.items()):
        if not variable.startswith(PREFIX) or not text:
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in known:
            problems.append(_unknown(variable, name, known))
            continue
        try:
            values[name] = _from_text(text, known[name])
        except _Unreadable as error:
            expected = f"{_EXPECTED[known[name]]}{_detail(error)}"
            problems.append(f"{name} = {text} (from {variable}) must be {expected}.")
    try:
        settings = Settings(**values)
    except InvalidSettings as error:
        raise InvalidSettings(problems + error.problems) from None
    if problems:
        raise InvalidSettings(problems)
    return settings


def _unknown(written: str, name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else "docs/settings.md lists them."
    return f"{written} is not a setting; {hint}"


def _detail(error: _Unreadable) -> str:
    return f": {error}" if str(error) else ""


def _sidecars(text: str) -> tuple[Sidecar, ...]:
    try:
        return sidecars(text)
    except ValueError as error:
        raise _Unreadable(str(error)) from None


def _from_json(value: Any, hint: Any) -> Any:
    if hint == tuple[Sidecar, ...]:
        return _sidecars(json.dumps(value))
    if hint in (str, int, bool) and type(value) is hint:
        return value
    if hint == tuple[str, ...] and isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        return tuple(value)
    if hint == Mapping[str, str] and isinstance(value, dict) and all(isinstance(v, str) for v in value.values()):
        return value
    raise _Unreadable


def _from_text(text: str, hint: Any) -> Any:
    if hint == tuple[Sidecar, ...]:
        return _sidecars(text)
    if hint is str:
        return text
    if hint is bool and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if hint is int:
        try:
            return int(text)
        except ValueError:
            raise _Unreadable from None
    if hint == tuple[str, ...]:
        return tuple(entry.strip() for entry in text.split(","))
    if hint == Mapping[str, str]:
        return _map_from_text(text)
    raise _Unreadable


def _map_from_text(text: str) -> dict[str, str]:
    if text.startswith("{"):
        try:
            entries = json.loads(text)
        except ValueError:
            raise _Unreadable from None
        if all(isinstance(value, str) for value in entries.values()):
            return dict(entries)
        raise _Unreadable
    pairs = [entry.strip().partition("=") for entry in text.split(",")]
    if all(name and equals for name, equals, _ in pairs):
        return {name: value for name, _, value in pairs}
    raise _Unreadable
