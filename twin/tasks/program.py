"""A command: one that the user types, or the CMD of a Dockerfile."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from twin.errors import BadInput

__all__ = ["Command", "command_of"]


@dataclass(frozen=True)
class Command:
    """What a container runs: words, of which `{host}` and `{port}` are filled in when it starts, in a folder.

    Attributes:
        path: the folders where its programs are, as PATH has them.
        umask: with which it makes files; -1: the twin's own.
    """

    words: Sequence[str]
    folder: Path
    path: str = field(default_factory=lambda: os.environ.get("PATH", os.defpath))
    umask: int = -1

    @classmethod
    def parse(cls, text: str, folder: Path) -> Command:
        """A command as typed for a shell; ValueError if it has an open quote or no word."""
        words = shlex.split(text)
        if not words:
            raise ValueError("no word")
        return cls(words, folder)


def command_of(dockerfile: Path) -> Command:
    """The last CMD of *dockerfile*, run in the folder of the file.

    What the image has installed is installed here beside our own Python, so programs are looked for there first.

    Raises:
        BadInput: there is no such file, or no CMD in it.
    """
    way_out = "run this where the Dockerfile is, or say what to run with --command."
    try:
        lines = dockerfile.read_text().replace("\\\n", " ").splitlines()
    except OSError as error:
        raise BadInput(f"{dockerfile} cannot be read ({error.strerror}): {way_out}") from None
    commands = [line.split(None, 1)[1].strip() for line in lines if line.upper().startswith("CMD ")]
    if not commands:
        raise BadInput(f"{dockerfile} has no CMD: {way_out}")
    command = commands[-1]
    try:
        words = json.loads(command) if command.startswith("[") else ["/bin/sh", "-c", command]
    except ValueError:
        words = None
    if not (isinstance(words, list) and words and all(isinstance(word, str) for word in words)):
        raise BadInput(f"The CMD of {dockerfile} is {shlex.quote(command)}, not a list of words: {way_out}")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return Command(words, dockerfile.resolve().parent, path)
