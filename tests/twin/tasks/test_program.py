from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.twin.running import PROJECT
from twin.errors import BadInput
from twin.tasks.program import command_of


def write(folder: Path, text: str) -> Path:
    dockerfile = folder / "Dockerfile"
    dockerfile.write_text(text)
    return dockerfile


def test_the_projects_own_image() -> None:
    command = command_of(PROJECT / "Dockerfile")
    assert (command.words, command.folder) == (["python", "-m", "app"], PROJECT)


def test_programs_are_first_looked_for_beside_our_own_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    path = command_of(write(tmp_path, 'FROM a\nCMD ["python"]\n')).path
    assert path == f"{Path(sys.executable).parent}:/usr/bin"


def test_the_last_one_counts_as_in_docker(tmp_path: Path) -> None:
    dockerfile = write(tmp_path, 'FROM a\nCMD ["first"]\nFROM b\nCMD ["second", \\\n  "word"]\n')
    assert command_of(dockerfile).words == ["second", "word"]


def test_the_shell_form(tmp_path: Path) -> None:
    assert command_of(write(tmp_path, "FROM a\nCMD run it\n")).words == ["/bin/sh", "-c", "run it"]


@pytest.mark.parametrize("text", ["FROM a\n", "FROM a\nCMD [1]\n", 'FROM a\nCMD ["open\n'])
def test_no_usable_cmd(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput, match="--command"):
        command_of(write(tmp_path, text))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        command_of(tmp_path / "Dockerfile")
