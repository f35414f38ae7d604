"""The credentials of a twin on this machine: in a file that its state folder names, or in the environment."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.errors import Missing

__all__ = ["TwinCredentials", "twin_credentials"]

_STATE = Path(".twin")


@dataclass(frozen=True)
class TwinCredentials:
    """What signs calls to a twin's AWS endpoint, and the token for its control path."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(repr=False)


def twin_credentials(endpoint_url: str, outputs: Path) -> TwinCredentials:
    """Those of the twin at *endpoint_url*: by its state folder, where *outputs* are or the one here; or by `twin env`.

    Raises:
        Missing: they are in none of these.
    """
    for folder in (outputs.parent, _STATE):
        running = _read(folder / "twin.json")
        if running.get("aws_endpoint_url") == endpoint_url:
            found = _read(Path(str(running.get("credentials_file"))))
            names = ("access_key", "secret_key", "token")
            if all(isinstance(found.get(name), str) for name in names):
                return TwinCredentials(*(found[name] for name in names))
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if key and secret:
        return TwinCredentials(key, secret, os.environ.get("TWIN_TOKEN", ""))
    raise Missing(
        f"The credentials of the twin at {endpoint_url} are not found: is it up, and yours? Run "
        '`eval "$(twin env)"` in this terminal (with --state, where it has one of its own).'
    )


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
