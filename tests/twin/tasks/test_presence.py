from __future__ import annotations

from pathlib import Path

import pytest

from twin.errors import BadInput
from twin.tasks.presence import require_program
from twin.tasks.program import Command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, mode in (("bin/serve", 0o755), ("bin/data", 0o644)):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("#!/bin/sh\n")
        file.chmod(mode)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sh -c 'cd app && serve'", None),
        ("bin/serve --host {host}", None),
        ("serve", None),  # in a folder of PATH that is relative
        ("env A=1 B=2 bin/serve", None),
        ("env PATH=/nowhere sh", "sh is not on PATH"),
        ("env -i PATH=/nowhere sh", None),  # nobody can say
        ("env", None),
        (".venv/bin/serve x", ".venv/bin/serve is not in {folder}"),
        ("env A=1 .venv/bin/serve", ".venv/bin/serve is not in {folder}"),
        ("/no/serve", "/no/serve is not there"),
        ("no-such-program", "no-such-program is not on PATH"),
        ("bin", "bin is not on PATH"),
        ("bin/data", "cannot be run: `chmod +x` it"),
        ("cd app && serve", "cd is a word of a shell, and no shell runs it: `sh -c '...'` does"),
        ("A=1 serve", "A=1 is no program: write `env A=1 PROGRAM`"),
    ],
)
def test_the_program_of_a_command(folder: Path, text: str, said: str | None) -> None:
    command = Command.parse(text, folder)
    command = Command(command.words, folder, "bin:/usr/bin:/bin")

    if said is None:
        require_program(command, "--command")
        return
    with pytest.raises(BadInput) as refused:
        require_program(command, "--command")
    assert str(refused.value).startswith("--command: ")
    assert said.format(folder=folder) in str(refused.value)


def test_a_path_of_the_commands_environment(folder: Path) -> None:
    with pytest.raises(BadInput, match="serve is not on PATH"):
        require_program(Command(["serve"], folder, "bin"), "here", "/nowhere")


def test_the_words_of_the_definition_are_not_asked_for(folder: Path) -> None:
    require_program(Command([], folder), "here")
