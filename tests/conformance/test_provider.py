"""Which provider the stack is applied with, by what is on the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.terraform import PROVIDER, Lacking, Provider, find_provider


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A folder with two versions of it, and one whose binary is not there."""
    for version in ("5.100.0", "5.99.1"):
        folder = tmp_path / PROVIDER / version / "linux_amd64"
        folder.mkdir(parents=True)
        (folder / f"terraform-provider-aws_v{version}_x5").touch()
    (tmp_path / PROVIDER / "6.25.0" / "linux_amd64").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("wanted", "asked", "version"),
    [("5.99.1", "", "5.99.1"), ("6.25.0", "", "5.100.0"), ("5.100.0", "5.99.1", "5.99.1")],
)
def test_of_a_mirror_the_wanted_version_or_the_newest(mirror: Path, wanted: str, asked: str, version: str) -> None:
    environment = {"TF_PLUGIN_MIRROR": str(mirror), "TF_AWS_PROVIDER": asked}

    assert find_provider(wanted, environment) == Provider(version, mirror)


def test_a_version_that_the_mirror_lacks_is_lacking(mirror: Path) -> None:
    with pytest.raises(Lacking, match=r"has .* 5\.100\.0, 5\.99\.1, not 6\.25\.0"):
        find_provider("5.99.1", {"TF_PLUGIN_MIRROR": str(mirror), "TF_AWS_PROVIDER": "6.25.0"})


def test_a_mirror_without_the_provider_is_lacking(tmp_path: Path) -> None:
    with pytest.raises(Lacking, match="has no registry"):
        find_provider("6.25.0", {"TF_PLUGIN_MIRROR": str(tmp_path)})
