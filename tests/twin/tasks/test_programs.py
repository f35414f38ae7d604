from __future__ import annotations

import os
from pathlib import Path

import pytest

from twin.errors import BadInput
from twin.tasks.program import Command
from twin.tasks.programs import Program, Programs, how_to_name

FILE = """
[programs.orders]
command = "python -m orders --bind {host}:{port}"
folder = "orders"
environment = { DEBUG = "1" }
watch = ["**/*.py"]

[programs."orders/metrics"]
command = ["metrics", "a word"]

[programs.web]
dockerfile = "orders/Dockerfile"

[programs.batch]
folder = "orders"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "Dockerfile").write_text('FROM a\nCMD ["node", "web.js"]\n')
    path = tmp_path / "twin.toml"
    path.write_text(FILE)
    return path


def found(programs: Programs, family: str, container: str = "app", *, main: bool = True) -> Program:
    program = programs.of(family, container, main=main)
    assert program is not None
    return program


def test_a_family_means_its_main_container_and_folders_are_relative_to_the_file(file: Path) -> None:
    programs = Programs(file=file)

    orders = found(programs, "orders")
    assert orders.command.words == ["python", "-m", "orders", "--bind", "{host}:{port}"]
    assert orders.command.folder == file.parent / "orders"
    assert (orders.environment, orders.watch) == ({"DEBUG": "1"}, ["**/*.py"])
    assert found(programs, "orders", "metrics", main=False).command.words == ["metrics", "a word"]
    assert programs.of("orders", "other", main=False) is None
    assert found(programs, "batch").command.words == []


def test_a_dockerfile_gives_its_cmd_and_its_folder(file: Path) -> None:
    command = found(Programs(file=file), "web").command
    assert (command.words, command.folder) == (["node", "web.js"], file.parent / "orders")


def test_a_table_without_words_runs_those_of_its_definition_else_the_default_in_its_environment(tmp_path: Path) -> None:
    (tmp_path / "twin.toml").write_text('[programs.orders]\nenvironment = { DATABASE_URL = "x" }\n')
    programs = Programs(file=tmp_path / "twin.toml", default=Command(["serve"], tmp_path))

    own, other = (programs.of("orders", "app", main=True, has_words=each) for each in (True, False))
    assert own is not None
    assert other is not None
    assert (own.command.words, own.environment) == ([], {"DATABASE_URL": "x"})
    assert (other.command.words, other.environment) == (["serve"], {"DATABASE_URL": "x"})
    assert programs.unknown(["order"]) == ["orders"]


def test_an_option_comes_before_the_file_and_the_file_before_the_default(file: Path) -> None:
    default = Command(["default"], file.parent)
    programs = Programs(file=file, given=["web=serve 1", "web/side=serve 2"], default=default, umask=0o22)

    assert found(programs, "web").command.words == ["serve", "1"]
    assert found(programs, "web", "side", main=False).command.words == ["serve", "2"]
    assert found(programs, "orders").command.words[0] == "python"
    assert found(programs, "unknown").command.words == ["default"]
    assert programs.of("unknown", "side", main=False) is None
    assert found(programs, "web").command.umask == 0o22
    assert programs.unnamed(["web", "orders", "unknown"]) == ["unknown"]


def test_a_file_that_changes_or_comes_later_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "twin.toml"
    programs = Programs(file=file)
    assert programs.of("shop", "app", main=True) is None

    file.write_text('[programs.shop]\ncommand = "first"\n')
    assert found(programs, "shop").command.words == ["first"]
    file.write_text('[programs.shop]\ncommand = "the second"\n')
    assert found(programs, "shop").command.words == ["the", "second"]
    assert programs.trouble is None
    file.write_text("[programs.shop]\ncommand = ")
    with pytest.raises(BadInput, match="no TOML"):
        programs.of("shop", "app", main=True)
    assert programs.trouble == f"{file} is no TOML: Invalid value (at end of document). Correct it there."
    file.write_text('[programs.shop]\ncommand = "the third"\n')
    assert programs.trouble is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[programs", "is no TOML"),
        ('[program.shop]\ncommand = "a"', "program is unknown"),
        ('[programs.shop]\ncomand = "a"', "programs.shop.comand is unknown: known are command, dockerfile, folder"),
        ("[programs.shop]\ncommand = 3", "programs.shop.command is '3'"),
        ("[programs.shop]\nenvironment = { A = 1 }", "programs.shop.environment.A is '1'"),
        ('[programs."a/b/c"]\ncommand = "a"', "'a/b/c'"),
        ('[programs.shop]\ncommand = "it\'s"', "programs.shop.command is"),
        ('[programs.shop]\ncommand = "a"\nfolder = "none"', "there is no folder"),
        ('[programs.shop]\ncommand = "a"\ndockerfile = "b"', "both command and dockerfile"),
        ('[programs.shop]\ndockerfile = "b"', "cannot be read"),
        ("# " + "x" * 1024 * 1024, "larger than 1024 KiB"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "twin.toml"
    file.write_text(text)
    with pytest.raises(BadInput) as refused:
        Programs(file=file)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_in_another_encoding(tmp_path: Path) -> None:
    file = tmp_path / "twin.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match="UTF-8"):
        Programs(file=file)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_may_not_be_read(file: Path) -> None:
    file.chmod(0)
    with pytest.raises(BadInput, match="cannot be read"):
        Programs(file=file)


@pytest.mark.parametrize("text", ["serve", "=serve", "a b=serve", "a/b/c=serve", "a=", "a=it's"])
def test_what_is_no_program(text: str) -> None:
    with pytest.raises(BadInput, match="--program"):
        Programs(given=[text])


def test_how_a_program_is_named() -> None:
    assert "[programs.orders]" in how_to_name("orders", "app", main=True)
    assert "--program 'orders=COMMAND'" in how_to_name("orders", "app", main=True)
    assert '[programs."orders/side"]' in how_to_name("orders", "side", main=False)
    assert "--program 'orders/side=COMMAND'" in how_to_name("orders", "side", main=False)
