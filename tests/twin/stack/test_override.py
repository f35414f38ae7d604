"""The override file of `twin env --terraform`, read as Terraform reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from twin.errors import BadInput
from twin.stack.expressions import evaluate
from twin.stack.hcl import parse
from twin.stack.override import write_override

URL = "http://127.0.0.1:4566"


def test_every_provider_of_the_project_is_led_to_the_endpoint(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(
        'provider "aws" {\n profile = "work"\n}\nprovider "aws" {\n alias = "dns"\n}\nprovider "random" {}\n'
    )

    write_override(tmp_path, "http://127.0.0.1:4567")
    file = write_override(tmp_path, URL)
    assert file is not None
    assert write_override(tmp_path, URL) is None  # nothing to write
    written = parse(file.read_text(), "twin_override.tf")

    terraform, *providers = written.blocks
    (backend,) = terraform.of_type("backend", "local")
    assert evaluate(backend.arguments["path"]) == "terraform.twin.tfstate"
    assert [evaluate(each.arguments.get("alias", ("value", None))) for each in providers] == [None, "dns"]
    for provider in providers:
        assert evaluate(provider.arguments["profile"]) is None
        (endpoints,) = provider.of_type("endpoints")
        assert {evaluate(each) for each in endpoints.arguments.values()} == {URL}


def test_without_a_provider_there_is_none_to_override(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('resource "aws_vpc" "main" {}\n')

    write_override(tmp_path, URL)
    written = parse((tmp_path / "twin_override.tf").read_text(), "twin_override.tf")

    assert [block.type for block in written.blocks] == ["terraform"]


def test_a_file_of_the_user_s_own_is_kept(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text("")
    (tmp_path / "twin_override.tf").write_text("# mine\n")

    with pytest.raises(BadInput, match="give it another name"):
        write_override(tmp_path, URL)
    assert (tmp_path / "twin_override.tf").read_text() == "# mine\n"


def test_a_link_of_its_name_is_not_followed(tmp_path: Path) -> None:
    """A clone of somebody's project may have one."""
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    project.mkdir()
    (project / "main.tf").write_text('provider "aws" {}\n')
    elsewhere.write_text(first := "# Written by `twin env --terraform`\n")
    (project / "twin_override.tf").symlink_to(elsewhere)

    assert write_override(project, URL) == project / "twin_override.tf"
    assert elsewhere.read_text() == first


def test_it_is_for_plain_hcl(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"has no \*\.tf"):
        write_override(tmp_path, URL)
