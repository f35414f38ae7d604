"""Files that others read while we write them, or write while we read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

__all__ = ["last_line", "write_json"]


def write_json(path: Path, value: Any) -> None:
    """Replace *path* as a whole: a reader sees the old content or the new, never a part."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.write_text(json.dumps(value, indent=2) + "\n")
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def last_line(path: Path) -> str:
    """The last line of text in a log; empty if there is none, or no log."""
    try:
        text = path.read_text(errors="replace").rstrip()
    except OSError:
        return ""
    return text.rsplit("\n", 1)[-1]
