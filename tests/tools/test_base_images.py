"""The base images' digests, with a stand-in for docker."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.constructs.stand_ins import StandIns
from tests.twin.running import PROJECT

DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize("dockerfile", ["Dockerfile", "load/Dockerfile"])
def test_each_image_from_a_registry_is_by_digest(dockerfile: str) -> None:
    stages, images = set(), []
    for image, stage in re.findall(r"^FROM (\S+)(?: AS (\w+))?", (PROJECT / dockerfile).read_text(), re.MULTILINE):
        images += [] if image in stages else [image]
        stages.add(stage)
    assert images
    assert all(re.fullmatch(r"python:3\.13-(alpine|slim)@sha256:[0-9a-f]{64}", image) for image in images)


def base_images(tools: StandIns, *paths: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, PROJECT / "tools/base_images.py", *paths],
        env={"PATH": str(tools.folder)},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def dockerfile(tmp_path: Path) -> Path:
    path = tmp_path / "Dockerfile"
    path.write_text(f"# FROM here\nFROM a/b:1.2-x@sha256:{'1' * 64} AS base\nFROM c:2\nFROM base\nCMD x\n")
    return path


def test_tags_move_to_their_digests_of_today(tmp_path: Path, dockerfile: Path) -> None:
    tools = StandIns(tmp_path / "bin")
    tools.add("docker", f"echo {DIGEST}")
    assert base_images(tools, dockerfile).returncode == 0
    moved = f"# FROM here\nFROM a/b:1.2-x@{DIGEST} AS base\nFROM c:2@{DIGEST}\nFROM base\nCMD x\n"
    assert dockerfile.read_text() == moved
    assert [call.split()[-1] for call in tools.calls()] == ["a/b:1.2-x", "c:2"]


def test_without_docker_they_stay(tmp_path: Path, dockerfile: Path) -> None:
    before = dockerfile.read_text()
    done = base_images(StandIns(tmp_path / "bin"), dockerfile)
    assert (done.returncode, dockerfile.read_text()) == (0, before)
    assert "docker is not on PATH" in done.stdout


def test_a_registry_that_does_not_answer(tmp_path: Path, dockerfile: Path) -> None:
    before = dockerfile.read_text()
    tools = StandIns(tmp_path / "bin")
    tools.add("docker", '[ "$5" = "" ] || exit 1')
    done = base_images(tools, dockerfile)
    assert (done.returncode, dockerfile.read_text()) == (1, before)
    assert "no digest of a/b:1.2-x" in done.stderr
