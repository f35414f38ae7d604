"""What the images are built from, as tags."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["LOAD_TAG", "image_tag", "load_image_tag"]

# How the tags of the load fleet's images begin.
LOAD_TAG = "load-"


def image_tag(root: Path, architecture: str) -> str:
    """Twelve hexadecimal digits that change when, and only when, the image of the project in *root* would.

    It hashes the Dockerfile, .dockerignore, app/, the packages of Pipfile.lock that the image installs (a newer linter
    makes no new image) and the *architecture*, for a tag is immutable and means one image.
    """
    return _digest(architecture, _parts(root, "Dockerfile", ".dockerignore", "app", packages="default"))


def load_image_tag(root: Path, architecture: str) -> str:
    """The same for the load fleet's image, apart from the service's by its beginning: both are in one repository."""
    return LOAD_TAG + _digest(architecture, _parts(root, "locustfile.py", "load", packages="tools"))


def _digest(architecture: str, parts: Iterable[tuple[str, bytes]]) -> str:
    digest = hashlib.sha256(architecture.encode())
    for name, content in parts:
        for part in (name.encode(), content):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:12]


def _parts(root: Path, *names: str, packages: str) -> Iterator[tuple[str, bytes]]:
    for name in names:
        for path in [root / name, *sorted((root / name).rglob("*"))]:
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(root).as_posix(), path.read_bytes()
    lock = json.loads((root / "Pipfile.lock").read_text())
    yield "Pipfile.lock", json.dumps(lock[packages], sort_keys=True).encode()
