"""tools/install.py: what is installed where, and that what the commands import is in the lists of `make install`."""

from __future__ import annotations

import ast
import importlib.util
import json
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType

import pytest
from packaging.utils import canonicalize_name

from tests.twin.running import PROJECT

OURS = {"app", "lab", "load", "serviceconnect", "twin"}


@pytest.fixture(scope="module")
def install() -> ModuleType:
    specification = importlib.util.spec_from_file_location("install", PROJECT / "tools/install.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def imported(*roots: str) -> Iterator[tuple[Path, str]]:
    """Every module outside of ours and of Python's own that the files of *roots* import."""
    for root in roots:
        path = PROJECT / root
        for file in [path] if path.is_file() else path.rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names.append(node.module)
                for name in names:
                    top = name.partition(".")[0]
                    if top not in OURS | sys.stdlib_module_names:
                        yield file, top


def test_what_the_commands_import_is_in_the_lists_of_make_install() -> None:
    lock = json.loads((PROJECT / "Pipfile.lock").read_text())
    installed = lock["default"].keys() | lock["tools"].keys()
    brought_by = packages_distributions()

    files = ("main.py", "locustfile.py", "tools/preflight.py")
    modules = set(imported("app", "constructs", "lab", "load", "twin", *files))
    assert len({name for _, name in modules}) > 10
    lacking = {
        (file.relative_to(PROJECT).as_posix(), name)
        for file, name in modules
        if not {canonicalize_name(each) for each in brought_by.get(name, [])} & installed
    }
    assert lacking == set()


def test_a_requirement_has_version_marker_and_hashes(install: ModuleType) -> None:
    entry = {"version": "==1.0", "hashes": ["sha256:1", "sha256:2"], "markers": "sys_platform == 'win32'"}
    lock = {"default": {"a": entry}, "tools": {"b": {"version": "==2", "hashes": ["sha256:3"]}}, "develop": {"c": {}}}

    assert install.locked(lock, ["default", "tools"]) == {
        "a": "a==1.0 ; sys_platform == 'win32' --hash=sha256:1 --hash=sha256:2",
        "b": "b==2 --hash=sha256:3",
    }


def test_tests_of_packages_are_removed_and_nothing_else(install: ModuleType, tmp_path: Path) -> None:
    for name in ("scipy/stats/tests/test_a.py", "scipy/stats/b.py", "ours/tests/test_c.py", "numpy/tests/d.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    install.slim(tmp_path)

    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.py")}
    assert left == {"scipy/stats/b.py", "ours/tests/test_c.py"}
