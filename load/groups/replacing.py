"""Writes a file by replacement."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["replace_file"]


def replace_file(file: Path, content: str | bytes) -> None:
    """Give *file* this content: a reader sees the one of before or the new, never a part. Text is written as UTF-8.

    No link is followed, as a folder of somebody else's may have some: one that has the file's name is replaced.
    Raises OSError, and then the file is as it was.
    """
    temporary = file.with_name(f".{file.name}.new")
    try:
        temporary.unlink(missing_ok=True)  # what a writer has left that was killed, or a link to elsewhere
        with temporary.open("xb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
        os.replace(temporary, file)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
