from __future__ import annotations

from pathlib import Path

from twin.reload import changed_files, snapshot
from twin.tasks.program import Command
from twin.tasks.programs import Program


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("1")


def test_what_tools_make_and_what_is_hidden_is_not_watched(tmp_path: Path) -> None:
    write(
        tmp_path,
        "app.py",
        "deep/er/app.js",
        "data.db",
        "a.log",
        ".env",
        ".git/HEAD",
        "node_modules/a.js",
        "a/__pycache__/b.pyc",
    )
    write(tmp_path, "venv/pyvenv.cfg", "venv/lib/a.py")

    assert set(snapshot(Program(Command([], tmp_path)))) == {"app.py", "deep/er/app.js"}


def test_patterns_say_which_files(tmp_path: Path) -> None:
    write(tmp_path, "app.py", "deep/er/app.py", "deep/app.js", "config.toml", "README")

    def names(*patterns: str) -> set[str]:
        return set(snapshot(Program(Command([], tmp_path), watch=patterns)))

    assert names("**/*.py") == {"app.py", "deep/er/app.py"}
    assert names("*.py", "config.*") == {"app.py", "config.toml"}
    assert names("deep/**/app.??") == {"deep/er/app.py", "deep/app.js"}
    assert names() == set()


def test_new_gone_and_changed_files(tmp_path: Path) -> None:
    program = Program(Command([], tmp_path), watch=["*"])
    write(tmp_path, "a", "b", "c")
    before = snapshot(program)
    (tmp_path / "a").write_text("22")
    (tmp_path / "b").unlink()
    write(tmp_path, "d")

    assert changed_files(before, snapshot(program)) == ["a", "b", "d"]
    (tmp_path / "link").symlink_to("nowhere")
    assert changed_files(snapshot(program), snapshot(program)) == []


def test_neither_the_twins_own_files_nor_terraforms_are_a_program(tmp_path: Path) -> None:
    terraforms = ("main.tf", "infra/twin_override.tf", "a.tf.json", "prod.auto.tfvars", "terraform.twin.tfstate")
    write(
        tmp_path, "app.py", "config.toml", "twin.toml", *terraforms, "terraform.tfstate.backup", ".terraform.lock.hcl"
    )
    program = Program(Command([], tmp_path), watch=["**/*"])

    assert set(snapshot(program, tmp_path / "twin.toml")) == {"app.py", "config.toml"}
    assert set(snapshot(program, tmp_path / "config.toml")) == {"app.py", "twin.toml"}
    assert "twin.toml" not in snapshot(Program(Command([], tmp_path)), tmp_path / "twin.toml")
