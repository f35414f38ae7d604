"""The same source with the bindings of CDKTF's successor, in the virtual environment that has them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.twin.running import PROJECT

PYTHON = PROJECT / ".venv-cdktn" / "bin" / "python"
EVERYTHING: dict[str, str] = json.loads((PROJECT / "tools/checkov/everything.json").read_text())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("chosen", [{}, EVERYTHING, {"SC_LOAD_FLEET": "2"}], ids=["default", "everything", "fleet"])
def test_the_stack_is_the_same_but_for_metadata(chosen: dict[str, str], tmp_path: Path) -> None:
    if not PYTHON.exists():
        pytest.skip("conformance: cdktn is not installed (`make .venv-cdktn/.installed` installs it)")
    ours = _synthesized(Path(sys.executable), tmp_path / "cdktf", chosen)
    theirs = _synthesized(PYTHON, tmp_path / "cdktn", chosen | {"BINDINGS": "cdktn"})

    # It says which library made it, and that of each resource where it was.
    metadata = [stack["//"]["metadata"] for stack in (ours, theirs)]
    assert [data["version"].split(".")[:2] for data in metadata] == [["0", "21"], ["0", "24"]]
    for stack in (ours, theirs):
        del stack["//"]["metadata"]["version"]
    assert ours == theirs


def _synthesized(python: Path, folder: Path, chosen: dict[str, str]) -> dict[str, Any]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SC_", "AWS_"))}
    node = {"JSII_NODE": str(Path(sys.executable).with_name("node"))}
    done = subprocess.run(
        [python, "main.py"],
        cwd=PROJECT,
        env=kept | node | chosen | {"CDKTF_OUTDIR": str(folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (file,) = folder.glob("stacks/*/cdk.tf.json")
    content: dict[str, Any] = json.loads(file.read_text())
    return content
