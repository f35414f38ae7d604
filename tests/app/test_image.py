"""What the Dockerfile says about the image, checked without building one."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
MODULES = sorted((ROOT / "app").rglob("*.py"))


def test_hadolint_finds_nothing() -> None:
    hadolint = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), "--no-color", ROOT / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (hadolint.returncode, hadolint.stdout + hadolint.stderr) == (0, "")


def test_image_holds_the_environment_and_the_application_alone() -> None:
    last_stage = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    assert re.findall(r"^(?:COPY|ADD) .*$", last_stage, re.MULTILINE) == [
        "COPY --from=builder /srv/.venv .venv",
        "COPY app app",
    ]
    assert re.findall(r"^COPY .*$", DOCKERFILE, re.MULTILINE)[0] == "COPY Pipfile Pipfile.lock ./"


def test_build_context_is_what_is_copied() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert rules == ["*", "!Pipfile", "!Pipfile.lock", "!app", "**/__pycache__"]


def test_user_is_a_number_and_not_root() -> None:
    users = re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE)
    assert len(users) == 1
    assert re.fullmatch(r"[1-9][0-9]*:[1-9][0-9]*", users[0])


def test_pipenv_is_the_one_that_locks() -> None:
    locks = tomllib.loads((ROOT / "Pipfile").read_text())["dev-packages"]["pipenv"]
    assert f"pipenv{locks}\n" in DOCKERFILE


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_imports_are_in_the_image(module: Path) -> None:
    installed = tomllib.loads((ROOT / "Pipfile").read_text())["packages"].keys()
    imported = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(str(node.module).partition(".")[0])
    assert imported <= sys.stdlib_module_names | installed | {"app"}
