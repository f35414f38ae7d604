"""What the image is built from, as a tag."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

__all__ = ["image_tag"]


def image_tag(root: Path, architecture: str) -> str:
    """Twelve hexadecimal digits that change when, and only when, the image of the project in *root* would.

    It hashes the Dockerfile, .dockerignore, app/, the packages of Pipfile.lock that the image installs (a newer linter
    makes no new image) and the *architecture*, for a tag is immutable and means one image.
    """
    digest = hashlib.sha256(architecture.encode())
    for name, content in _parts(root):
        for part in (name.encode(), content):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:12]


def _parts(root: Path) -> Iterator[tuple[str, bytes]]:
    for path in [root / "Dockerfile", root / ".dockerignore", *sorted((root / "app").rglob("*"))]:
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(root).as_posix(), path.read_bytes()
    lock = json.loads((root / "Pipfile.lock").read_text())
    yield "Pipfile.lock", json.dumps(lock["default"], sort_keys=True).encode()
