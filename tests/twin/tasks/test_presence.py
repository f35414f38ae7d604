from __future__ import annotations

from pathlib import Path

import pytest

from twin.errors import BadInput
from twin.tasks.presence import require_program, wrapped_node
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
        ("serve --host {hots}", "{{hots}} is not filled in: {{host}} and {{port}} are"),
        ("serve --listen {HOST}:{port}", "{{HOST}} is not filled in"),
        ("sh -c 'serve ${hots} {name} {}'", None),
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


def test_a_node_that_is_a_python_program_is_told_with_the_one_to_name(folder: Path) -> None:
    for name, text in (("a/node", "#!/x/bin/python3\n"), ("b/node", "#!/bin/sh\n")):
        (folder / name).parent.mkdir()
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    wrapper, node = folder / "a/node", folder / "b/node"
    path = f"{folder / 'a'}:{folder / 'b'}"

    def told(*words: str, path: str = path) -> str:
        return wrapped_node(Command(words, folder, path)) or ""

    assert told("node", "x.js").startswith(f"{wrapper}, a Python program")
    assert told("env", "A=1", "a/node").endswith(f": name {node}")
    assert told("node", path=str(folder / "a")).endswith(": name the file of a Node of your own")
    assert [told(*words) for words in (["b/node"], [str(node)], ["no-node"], ["sh"], [])] == [""] * 5
