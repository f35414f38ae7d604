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

__all__ = ["last_line", "replacing", "runtime_folder", "write_json"]


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


def last_line(path: Path) -> str:
    """The last line of text in a log; empty if there is none, or no log."""
    try:
        text = path.read_text(errors="replace").rstrip()
    except OSError:
        return ""
    return text.rsplit("\n", 1)[-1]


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
