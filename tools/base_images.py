"""Move the base images of Dockerfiles to what their tags are today: an image by digest is the same at each build.

    python tools/base_images.py Dockerfile...

Without Docker they stay as they are. Exits with 1 where a registry does not answer; nothing is written then.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

# FROM name:tag@digest; stages of the file itself have no tag.
FROM = re.compile(r"^(FROM )(?P<image>[\w./-]+:[\w.-]+)(@sha256:[0-9a-f]{64})?(?=\s|$)", re.MULTILINE)


def moved(dockerfile: str, digest: Callable[[str], str]) -> str:
    """*dockerfile* with each base image at the *digest* of its tag."""
    return FROM.sub(lambda found: f"{found[1]}{found['image']}@{digest(found['image'])}", dockerfile)


def digest_of(image: str) -> str:
    """The digest of *image*'s tag in its registry, for all processors. Raises CalledProcessError."""
    command = ["docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", image]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def main(paths: list[Path]) -> int:
    """Move all of *paths*; the exit code."""
    if shutil.which("docker") is None:
        print("base_images: docker is not on PATH, so the base images stay at the digests that they have.")
        return 0
    try:
        texts = {path: moved(path.read_text(), digest_of) for path in paths}
    except subprocess.CalledProcessError as error:
        print(
            f"base_images: no digest of {error.cmd[-1]}: its registry gives none; nothing is changed.", file=sys.stderr
        )
        return 1
    for path, text in texts.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main([Path(argument) for argument in sys.argv[1:]]))
