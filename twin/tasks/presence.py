"""Whether the program of a command is on this machine, asked before anything starts."""

from __future__ import annotations

import os
import re
import shutil
from difflib import get_close_matches
from pathlib import Path

from twin.errors import BadInput
from twin.tasks.program import Command

__all__ = ["require_program", "wrapped_node"]

_FILLED_IN = ("host", "port")
_OF_SHELLS = {"cd", "export", "source", ".", "set", "exec", "ulimit"}
_SHEBANG = 256  # bytes, of which the kernel reads no more
_BY_A_SHELL = "no shell runs it: `sh -c '...'` does"


def require_program(command: Command, where: str, path: str | None = None) -> None:
    """Nothing, if the first word of *command* can be started, behind `env NAME=value` too, and no `{hots}` is in it.

    Args:
        where: what names the command, for messages.
        path: a PATH of its environment; None: it has none.

    Raises:
        BadInput: it cannot.
    """
    for name in re.findall(r"(?<!\$)\{(\w+)\}", " ".join(command.words)):
        if name not in _FILLED_IN and get_close_matches(name.lower(), _FILLED_IN):
            raise BadInput(f"{where}: {{{name}}} is not filled in: {{host}} and {{port}} are.")
    program, path = _program(command, path or command.path)
    if program in _OF_SHELLS:
        raise BadInput(f"{where}: {program} is a word of a shell, and {_BY_A_SHELL}.")
    if not program or program.startswith("-") or _found(program, command.folder, path):
        return
    if "=" in program:
        raise BadInput(f"{where}: {program} is no program: write `env {program} PROGRAM`.")
    if os.sep not in program:
        raise BadInput(f"{where}: {program} is not on PATH: install it, or name the file, as in .venv/bin/{program}.")
    if (command.folder / program).is_file():
        raise BadInput(f"{where}: {command.folder / program} cannot be run: `chmod +x` it, or name its interpreter.")
    place = "there" if os.path.isabs(program) else f"in {command.folder}"
    raise BadInput(f"{where}: {program} is not {place}: name what is, or go where it is.")


def wrapped_node(command: Command) -> str | None:
    """A `node` that is a Python program, as packages bring it, and what to name; None: *command* runs none.

    Such a program starts Node as its child and does not pass SIGTERM on, so that requests are lost at a stop.
    """
    program, path = _program(command, command.path)
    found = _found(program, command.folder, path) if Path(program).name == "node" else None
    if found is None or not _is_python(found):
        return None
    others = (shutil.which("node", path=folder) for folder in path.split(os.pathsep) if os.path.isabs(folder))
    other = next((each for each in others if each and not _is_python(each)), None)
    way_out = f"name {other}" if other else "name the file of a Node of your own"
    return f"{found}, a Python program that may not pass SIGTERM on to Node, so that a stop loses requests: {way_out}"


def _is_python(file: str) -> bool:
    try:
        with open(file, "rb") as opened:
            first = opened.readline(_SHEBANG)
    except OSError:  # it may be run, and not be read
        return False
    return first.startswith(b"#!") and b"python" in first


def _program(command: Command, path: str) -> tuple[str, str]:
    """The word that is run, empty if there is none, and the PATH on which it is looked for."""
    words = list(command.words)
    if words[:1] == ["env"]:
        words = words[1:]
        while words and "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            path = value if name == "PATH" else path
    return (words[0] if words else ""), path


def _found(program: str, folder: Path, path: str) -> str | None:
    """Where it is, as the task finds it: what is relative is so to its folder."""
    if os.sep in program:
        return shutil.which(folder / program)
    return shutil.which(program, path=os.pathsep.join(str(folder / each) for each in path.split(os.pathsep)))
