"""The plugin is installed alone: its wheel in an environment that has Locust and nothing of this project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[3]

PROGRAM = """
import load.groups, sys
load.groups.track("header:server")
assert load.groups.__file__.startswith(sys.prefix), load.groups.__file__
from load.groups import plugin, web
assert (web._FILES / "chart.js").is_file()
ours = sorted(name for name in sys.modules if name == "load" or name.startswith("load."))
assert not [name for name in ours if name != "load" and not name.startswith("load.groups")], ours
print("ready")
"""


def test_its_wheel_works_in_an_empty_environment(tmp_path: Path) -> None:
    source = tmp_path / "groups"
    shutil.copytree(
        ROOT / "load" / "groups", source, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
    )
    wheels = tmp_path / "wheels"
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, "--wheel-dir", str(wheels), str(source)], check=True, capture_output=True, text=True)
    (wheel,) = wheels.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        files = [name for name in archive.namelist() if ".dist-info/" not in name]
        metadata = archive.read(next(name for name in archive.namelist() if name.endswith("/METADATA"))).decode()
    assert {name.rpartition("/")[0] for name in files} == {"load/groups"}
    assert {"load/groups/chart.js", "load/groups/chart.css", "load/groups/chart.html"} <= set(files)
    assert [line for line in metadata.splitlines() if line.startswith("Requires-Dist")] == [
        "Requires-Dist: locust>=2.46"
    ]

    environment = tmp_path / "empty"
    venv.create(environment, symlinks=True, with_pip=False)
    (site,) = environment.glob("lib/python*/site-packages")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True, text=True)
    # Locust itself is the one that is installed here: behind the wheel, and without the editable project beside it.
    theirs = [path for path in map(Path, sys.path) if path.name == "site-packages"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, theirs)), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [environment / "bin" / "python", "-c", PROGRAM], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.strip()) == (0, "ready"), done.stderr
