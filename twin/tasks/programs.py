"""Which program runs as which container: `twin.toml`, `--program`, `--command` or the CMD of a Dockerfile.

A task definition names an image, and this machine has no container engine. So the user says once what an image is here:

    [programs.orders]                  # the main container of the family `orders`: the one whose port is served
    command = "python -m orders"       # words as for a shell; {host} and {port} are filled in
    folder = "services/orders"         # relative to this file, where the program runs
    environment = { DEBUG = "1" }      # beside the task definition's
    watch = ["**/*.py"]                # what `twin up --reload` watches in the folder

    [programs."orders/metrics"]        # another container of it
    dockerfile = "metrics/Dockerfile"  # its CMD, in its folder

Without `command` and `dockerfile` the task definition's own `entryPoint` and `command` run.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from twin.errors import BadInput
from twin.tasks.presence import require_program
from twin.tasks.program import Command, command_of

__all__ = ["FILE", "Program", "Programs", "how_to_name"]

FILE = Path("twin.toml")
_ENDINGS = (
    *("py", "js", "mjs", "cjs", "ts", "rb", "php", "pl", "go", "rs", "java", "kt", "jar", "cs", "dll", "ex", "exs"),
    *("sh", "toml", "yaml", "yml"),
)
SOURCES = tuple(f"**/*.{ending}" for ending in _ENDINGS)
"""What of a folder is watched where nothing is given: code and its configuration, not what a program may write."""

_LARGEST = 1024 * 1024  # bytes
_KEY = r"[A-Za-z0-9_-]{1,255}(/[A-Za-z0-9_-]{1,255})?"
_Key = Annotated[str, StringConstraints(pattern=f"^{_KEY}$")]
_Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]+$")]
_Name = Annotated[str, StringConstraints(pattern=r"^[^=\x00]+$")]
_Value = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]


class _Program(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    command: _Text | list[_Text] | None = None
    dockerfile: _Text | None = None
    folder: _Text | None = None
    environment: dict[_Name, _Value] = {}
    watch: list[_Text] = list(SOURCES)


class _File(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    programs: dict[_Key, _Program] = {}


@dataclass(frozen=True)
class Program:
    """What one container runs.

    Attributes:
        command: its words and folder; no words: those of the container's definition.
        environment: beside what its definition gives, and before it.
        watch: patterns of files in its folder; a change of one is a change of the program.
    """

    command: Command
    environment: Mapping[str, str] = field(default_factory=dict)
    watch: Sequence[str] = SOURCES


class Programs:
    """Finds the program of a container. The file is read anew when it has changed, so that a twin need not restart."""

    def __init__(
        self,
        *,
        file: Path | None = None,
        given: Sequence[str] = (),
        default: Command | None = None,
        umask: int = -1,
    ) -> None:
        """
        Args:
            file: a twin.toml, which need not be there yet; None: there is none.
            given: each as `FAMILY[/CONTAINER]=COMMAND`; they come before the file's.
            default: the program of every main container that nothing names.
            umask: with which programs make files; -1: the twin's own.

        Raises:
            BadInput: one of *given*, or the file, cannot be used.
        """
        self.umask = umask
        self.file = file
        self._given = dict(_given(text) for text in given)
        self._default = default
        self._read: dict[str, Program] = {}
        self._version: tuple[int, int] | None = None
        self._named()

    def of(self, family: str, container: str, *, main: bool, has_words: bool = False) -> Program | None:
        """The program of *container* in a task of *family*; None: nothing names one.

        Args:
            main: whether it is the container whose port is served, for which the family's name alone stands.
            has_words: whether its definition has an entryPoint or a command, which a program without words runs. Where
                it has none, that is the default, in the environment of the file.

        Raises:
            BadInput: the file has changed, and cannot be used any more.
        """
        named = self._named()
        found = named.get(f"{family}/{container}") or (named.get(family) if main else None)
        if main and self._default is not None:
            if found is None:
                found = Program(self._default)
            elif not (found.command.words or has_words):
                found = replace(found, command=self._default)
        return found and replace(found, command=replace(found.command, umask=self.umask))

    def unnamed(self, families: Iterable[str]) -> list[str]:
        """Those of *families* of which no container is named."""
        named = {key.partition("/")[0] for key in self._named()}
        return [family for family in families if family not in named]

    def unknown(self, families: Collection[str]) -> list[str]:
        """What the file and the command line name that belongs to none of *families*."""
        return [key for key in self._named() if key.partition("/")[0] not in families]

    def require(self, families: Collection[str]) -> None:
        """Nothing, if there are the programs that the command line names, and those of *families*.

        Raises:
            BadInput: one is not on this machine.
        """
        for key, program in self._named().items():
            if key in self._given or key.partition("/")[0] in families:
                where = f"--program {key}" if key in self._given else f"{self.file}: programs.{key}.command"
                require_program(program.command, where, program.environment.get("PATH"))

    def watched(self) -> dict[str, Program]:
        """All there are by `FAMILY` or `FAMILY/CONTAINER`; the default is by "" that of every other family."""
        return {**({"": Program(self._default)} if self._default is not None else {}), **self._named()}

    @property
    def trouble(self) -> str | None:
        """Why the file cannot be used as it is now, and where TOML knows it the line; None: it can, or is not there."""
        try:
            self._named()
        except BadInput as error:
            return str(error)
        return None

    def _named(self) -> dict[str, Program]:
        if self.file is not None and (version := _version(self.file)) != self._version:
            self._read = _read(self.file) if version is not None else {}
            self._version = version
        return {**self._read, **self._given}


def how_to_name(family: str, container: str, *, main: bool) -> str:
    """What to write into twin.toml for a container without a program."""
    key = family if main else f'"{family}/{container}"'
    return f"write [programs.{key}] and command = \"...\" into {FILE}, or give --program '{key.strip(chr(34))}=COMMAND'"


def _version(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"{file} cannot be read ({error.strerror}): give another with --programs.") from None
    return found.st_mtime_ns, found.st_size


def _read(file: Path) -> dict[str, Program]:
    """The programs of a twin.toml, by `FAMILY` or `FAMILY/CONTAINER`.

    Raises:
        BadInput: it is no such file; the text says where.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise BadInput(f"{file} is larger than {_LARGEST // 1024} KiB: it holds a few lines for each program.")
        checked = _File.model_validate(tomllib.loads(content.decode()))
    except OSError as error:
        raise BadInput(f"{file} cannot be read ({error.strerror}): give another with --programs.") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{file} is no text in UTF-8 (byte {error.start}): save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{file} is no TOML: {str(error)[:200]}. Correct it there.") from None
    except ValidationError as error:
        raise BadInput(f"{file}: {_first(error)}. docs/twin.md has its form.") from None
    return {
        key: _program(program, file.resolve().parent, f"{file}: programs.{key}") for key, program in _items(checked)
    }


def _items(checked: _File) -> Collection[tuple[str, _Program]]:
    return checked.programs.items()


def _first(error: ValidationError) -> str:
    """The first thing that is wrong, in words."""
    first = error.errors(include_url=False)[0]
    # Beside keys pydantic has the alternatives of a type there.
    where = ".".join(str(step) for step in first["loc"] if "constrained-str" not in str(step) and step != "[key]")
    if first["type"] == "extra_forbidden":
        return f"{where} is unknown: known are {', '.join(_Program.model_fields)}"
    if first["type"] == "string_pattern_mismatch":
        return f"{where}: {str(first['input'])[:60]!r} is none: a program is named FAMILY or FAMILY/CONTAINER"
    return f"{where} is {str(first['input'])[:60]!r}: {first['msg'][0].lower()}{first['msg'][1:]}"


def _program(given: _Program, base: Path, where: str) -> Program:
    if given.command is not None and given.dockerfile is not None:
        raise BadInput(f"{where} has both command and dockerfile: give one of the two.")
    folder = base / (given.folder or ".")
    if given.dockerfile is not None:
        command = command_of(base / given.dockerfile)
        if given.folder is not None:
            command = replace(command, folder=folder)
    elif isinstance(given.command, str):
        command = _parsed(given.command, folder, f"{where}.command")
    else:
        command = Command(given.command or [], folder)
    if not command.folder.is_dir():
        raise BadInput(f"{where}: there is no folder {command.folder}: folder is relative to the file.")
    return Program(command, given.environment, given.watch)


def _given(text: str) -> tuple[str, Program]:
    key, equals, command = text.partition("=")
    if not equals or not re.fullmatch(_KEY, key):
        raise BadInput(f"--program {text!r} names no container: give FAMILY=COMMAND or FAMILY/CONTAINER=COMMAND.")
    return key, Program(_parsed(command, Path.cwd(), f"--program {key}"))


def _parsed(text: str, folder: Path, where: str) -> Command:
    try:
        return Command.parse(text, folder)
    except ValueError as error:
        raise BadInput(f"{where} is {shlex.quote(text)}, no command line ({error}): quote it as for a shell.") from None
