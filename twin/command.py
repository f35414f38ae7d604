"""What an application's container runs."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from twin.network import Address

__all__ = ["Command"]


@dataclass(frozen=True)
class Command:
    """What the application's container runs: words, of which `{host}` and `{port}` are filled in, in a folder.

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

    def fill(self, address: Address) -> list[str]:
        words = (word.replace("{host}", address.host).replace("{port}", str(address.port)) for word in self.words)
        return list(words)
