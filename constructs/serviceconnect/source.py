"""What the images are built from: files of a folder, and the tags by which they are known."""

from __future__ import annotations

import atexit
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LOAD_TAG", "ImageSource", "load_image", "service_image"]

# How the tags of the load fleet's images begin.
LOAD_TAG = "load-"

# Which lists of Pipfile.lock the images install.
_LOCK = "Pipfile.lock"


@dataclass(frozen=True, kw_only=True)
class ImageSource:
    """Files and folders of *root* that *dockerfile*, which is one of them, builds an image from; their *tag*.

    Tags are immutable in the stack's repositories: other files need another tag.
    """

    root: Path
    parts: tuple[str, ...]
    tag: str
    dockerfile: str = "Dockerfile"

    def copied(self) -> Path:
        """A folder that has the parts and nothing else, until this process ends."""
        folder = Path(tempfile.mkdtemp(prefix="image-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        for path in _files(self.root, self.parts):
            to = folder / path.relative_to(self.root)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, to)
        return folder


def service_image(root: Path, architecture: str) -> ImageSource:
    """The service's image of the project in *root*.

    Its tag is twelve hexadecimal digits that change when, and only when, the image would: they hash the Dockerfile,
    .dockerignore, app/, the packages of Pipfile.lock that the image installs (a newer linter makes no new image) and
    the *architecture*.
    """
    parts = ("Dockerfile", ".dockerignore", "app")
    tag = _digest(root, parts, "default", architecture)
    return ImageSource(root=root, parts=(*parts, "Pipfile", _LOCK), tag=tag)


def load_image(root: Path, architecture: str) -> ImageSource:
    """The load fleet's image, whose tag is apart from the service's by its beginning: both are in one repository."""
    parts = ("locustfile.py", "load")
    tag = LOAD_TAG + _digest(root, parts, "tools", architecture)
    return ImageSource(root=root, parts=(*parts, "Pipfile", _LOCK), tag=tag, dockerfile="load/Dockerfile")


def _digest(root: Path, parts: tuple[str, ...], packages: str, architecture: str) -> str:
    digest = hashlib.sha256(architecture.encode())
    hashed = [(path.relative_to(root).as_posix(), path.read_bytes()) for path in _files(root, parts)]
    lock = json.loads((root / _LOCK).read_text())
    for name, content in [*hashed, (_LOCK, json.dumps(lock[packages], sort_keys=True).encode())]:
        for part in (name.encode(), content):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:12]


def _files(root: Path, parts: tuple[str, ...]) -> Iterator[Path]:
    for name in parts:
        for path in [root / name, *sorted((root / name).rglob("*"))]:
            if path.is_file() and "__pycache__" not in path.parts:
                yield path
