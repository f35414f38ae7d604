"""The wheel brings `twin` and `lab` into an environment with what it asks for, and no more."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.twin.running import PROJECT

pytestmark = pytest.mark.timeout(300)

SOURCES = ("app", "constructs", "lab", "load", "twin", "locustfile.py", "pyproject.toml", "README.md", "LICENSE")
SERVICE = "python -m http.server --bind {host} {port}"
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())


def requirements_of_pipfile(*lists: str) -> set[str]:
    """Each package of *lists* as pip is asked for it."""
    pipfile = tomllib.loads((PROJECT / "Pipfile").read_text())
    found = set()
    for name, entry in (item for each in lists for item in pipfile[each].items()):
        entry = entry if isinstance(entry, dict) else {"version": entry}
        extras = f"[{','.join(entry['extras'])}]" if "extras" in entry else ""
        found.add(f"{name}{extras}{entry['version'].removeprefix('*')}")
    return found


def test_it_asks_for_what_pipfile_names() -> None:
    project = PYPROJECT["project"]
    asked = [*project["dependencies"], *(each for extra in project["optional-dependencies"].values() for each in extra)]

    assert len(set(asked)) == len(asked)
    assert {*asked, "setuptools"} == requirements_of_pipfile("packages", "tools")  # setuptools is for `make install`


def needed(requirement: Requirement, seen: dict[tuple[str, frozenset[str]], Distribution]) -> None:
    """Put into *seen* what pip installs for *requirement* on this machine."""
    key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
    if key in seen:
        return
    seen[key] = distribution(requirement.name)
    for text in seen[key].requires or []:
        further = Requirement(text)
        if further.marker is None or any(further.marker.evaluate({"extra": extra}) for extra in ("", *key[1])):
            needed(further, seen)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel, beside the packages of this one that pip would install with it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
        copy(PROJECT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--quiet"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(source)]
    subprocess.run(build, check=True, capture_output=True, text=True)
    (wheel,) = folder.glob("*.whl")

    made = folder / "environment"
    venv.create(made, symlinks=True, with_pip=False)
    (site,) = made.glob("lib/python*/site-packages")
    brought: dict[tuple[str, frozenset[str]], Distribution] = {}
    for text in PYPROJECT["project"]["dependencies"]:
        needed(Requirement(text), brought)
    for there, here in files(brought.values(), site):
        if not here.exists():
            here.symlink_to(there)
    install = [*pip, "--python", str(made / "bin/python"), "install", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True, text=True)
    return made


def files(brought: Iterable[Distribution], site: Path) -> Iterator[tuple[Path, Path]]:
    """Where the files of packages are, and where they belong: folders as a whole, and the commands in bin."""
    for each in brought:
        for file in each.files or []:
            there = Path(str(each.locate_file(file)))
            if file.parts[0] != "..":
                yield Path(str(each.locate_file(file.parts[0]))), site / file.parts[0]
            elif there.parent.name == "bin" and there.exists():
                yield there.resolve(), site.parents[2] / "bin" / there.name


def free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def run(environment: Path, folder: Path, *command: str) -> str:
    """What *command* of *environment* prints in *folder*, which is outside of this repository."""
    clean = {name: value for name, value in os.environ.items() if name in ("HOME", "LANG", "TMPDIR")}
    clean["PATH"] = os.pathsep.join([str(environment / "bin"), os.defpath])
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_twin_serves_outside_of_this_repository(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("served")
    gateway, endpoint = map(str, free_ports())
    up = [
        "twin",
        "up",
        "--command",
        SERVICE,
        "--health",
        "/",
        "--port",
        gateway,
        "--aws-port",
        endpoint,
        "--",
        "python",
    ]

    ask = (
        f"import urllib.request as r, subprocess as s; print(r.urlopen('http://127.0.0.1:{gateway}/').read().decode())"
    )
    told = run(environment, tmp_path, *up, "-c", f"{ask}; print(s.check_output(['twin', 'ps', '--json'], text=True))")

    _, served, listed = told.split("\n", 2)
    assert served == "served"
    assert [task["status"] for task in json.loads(listed)["tasks"]] == ["RUNNING"] * 3


def test_the_lab_has_its_prices_its_locustfile_and_its_settings(environment: Path, tmp_path: Path) -> None:
    where = "import lab.runner.load as l, sys; assert l.__file__.startswith(sys.prefix); print(l._LOCUSTFILE)"
    locustfile = run(environment, tmp_path, "python", "-c", where).strip()

    assert "HostnameUser" in run(environment, tmp_path, "locust", "--locustfile", locustfile, "--list")
    assert "load balancer" in run(environment, tmp_path, "lab", "costs", "--requests-per-second", "25")
    assert PYPROJECT["project"]["version"] in run(environment, tmp_path, "lab", "--version")
