"""Files that others read while we write them, or write while we read."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from twin.errors import BadInput

__all__ = ["last_line", "last_lines", "replacing", "runtime_folder", "write_json"]

_BYTES = 64 * 1024  # at the end of a log
_LONGEST = 500  # characters of a line of it


@contextlib.contextmanager
def replacing(path: Path, mode: int = 0o600) -> Iterator[IO[bytes]]:
    """A file that takes the place of *path* at the end: a reader sees the old content or the new, never a part.

    Where there is a link, it is replaced and not followed. Without a *mode* no other user may read the file.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.unlink(missing_ok=True)  # what a writer has left that was killed, or a link to elsewhere
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            yield file
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Replace *path* as a whole."""
    with replacing(path) as file:
        file.write((json.dumps(value, indent=2) + "\n").encode())


def last_lines(path: Path) -> list[str]:
    """The lines at the end of a log, as much of them as anybody reads; an empty one if there is no text, or no log."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _BYTES))
            text = file.read(_BYTES).decode(errors="replace").rstrip()
    except OSError:
        return [""]
    return [line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..." for line in text.split("\n")]


def last_line(path: Path) -> str:
    """The last line of text in a log; empty if there is none, or no log."""
    return last_lines(path)[-1]


def runtime_folder() -> Path:
    """Where this user's programs keep what no other user may read, and no service serves: made if it is not there.

    Raises:
        BadInput: it is another user's, or open to others.
    """
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = (
        Path(base if os.path.isabs(base) and os.path.isdir(base) else tempfile.gettempdir()) / f"twin-{os.getuid()}"
    )
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise BadInput(f"{folder} cannot be made ({error.strerror}): set TMPDIR to a folder of yours.") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise BadInput(f"{folder} is not a folder that you alone can read: remove it, or set TMPDIR to one of yours.")
    return folder
