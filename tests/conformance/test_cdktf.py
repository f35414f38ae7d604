"""The stack by the cdktf command, as `make deploy` and `make destroy` run it, with CDKTF's bindings and cdktn's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.conftest import Endpoint
from tests.conformance.left import inventory
from tests.conformance.load import hostnames
from tests.conformance.terraform import Lacking, Terraform
from tests.twin.conftest import synthesize
from tests.twin.running import PROJECT

# What belongs to a user of this folder: another one is deployed from.
_OWN = ("cdktf.json", "cdktf.out", "cdktf.endpoint.out", "outputs.json", "results", ".twin")


PYTHONS = {"cdktf": Path(sys.executable), "cdktn": PROJECT / ".venv-cdktn" / "bin" / "python"}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("bindings", PYTHONS)
def test_make_deploys_and_destroys(bindings: str, endpoint: Endpoint, tmp_path: Path) -> None:
    if not PYTHONS[bindings].exists():
        pytest.skip("conformance: cdktn is not installed (`make .venv-cdktn/.installed` installs it)")
    if not (PROJECT / "node_modules" / ".installed").exists():
        pytest.skip("conformance: the cdktf command is not installed (`make node_modules/.installed` installs it)")
    folder = tmp_path / "project"
    folder.mkdir()
    for path in PROJECT.iterdir():
        if path.name not in _OWN and not path.name.startswith("terraform.") and path.suffix != ".egg-info":
            (folder / path.name).symlink_to(path)
    (folder / "cdktf.json").write_text((PROJECT / "cdktf.json").read_text())
    synthesize(tmp_path / "asked")
    terraform = Terraform(tmp_path, {**endpoint.environment, "PYTHONPATH": str(PROJECT)})
    try:
        terraform.prepare(next((tmp_path / "asked").glob("stacks/*/cdk.tf.json")))
    except Lacking as lacking:
        pytest.skip(f"conformance: {lacking}")
    before = inventory(endpoint.client)
    # In the place of main.py, which asks for the provider of the registry.
    program = f"{PYTHONS[bindings]} -m tests.conformance.synthesize"

    def make(target: str) -> None:
        done = subprocess.run(
            ["make", target, "ARGS=--auto-approve", f"BINDINGS={bindings}", f"APP={program}"],
            cwd=folder,
            env={**terraform.environment, "CI": "true", "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, f"{done.stdout[-3000:]}{done.stderr[-2000:]}"

    make("deploy")
    (outputs,) = json.loads((folder / "outputs.json").read_text()).values()
    assert len(hostnames(f"{outputs['gateway_url']}/hostname", expected=3)) == 3
    make("destroy")
    assert inventory(endpoint.client) == before
