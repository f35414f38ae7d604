"""The stack by `make deploy` and `make destroy`, which run the cdktf command: with an environment, with cdktn too."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.conftest import Endpoint
from tests.conformance.left import inventory
from tests.conformance.load import hostnames
from tests.conformance.terraform import Lacking, Terraform
from tests.stacks import synthesize
from tests.twin.running import PROJECT

# What belongs to a user of this folder: another one is deployed from.
_OWN = ("cdktf.json", "cdktf.out", "cdktf.endpoint.out", "outputs.json", "results", ".twin")


PYTHONS = {"cdktf": Path(sys.executable), "cdktn": PROJECT / ".venv-cdktn" / "bin" / "python"}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("bindings", "env"), [("cdktf", ""), ("cdktf", "prod"), ("cdktn", "")])
def test_make_deploys_and_destroys(bindings: str, env: str, endpoint: Endpoint, tmp_path: Path) -> None:
    if not PYTHONS[bindings].exists():
        pytest.skip("conformance: cdktn is not installed (`make .venv-cdktn/.installed` installs it)")
    if not (PROJECT / "node_modules" / ".installed").exists():
        pytest.skip("conformance: the cdktf command is not installed (`make node_modules/.installed` installs it)")
    folder = tmp_path / "project"
    folder.mkdir()
    # What finds the settings beside itself is here; all else is a link.
    shutil.copy(PROJECT / "main.py", folder)
    shutil.copytree(PROJECT / "tools", folder / "tools")
    for path in PROJECT.iterdir():
        there = path.name in _OWN or (folder / path.name).exists()
        if not there and not path.name.startswith("terraform.") and path.suffix != ".egg-info":
            (folder / path.name).symlink_to(path)
    project = json.loads((PROJECT / "cdktf.json").read_text())
    project["context"]["serviceconnect"]["environments"] = {"prod": {"desired_count": 2}}
    (folder / "cdktf.json").write_text(json.dumps(project))
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
            env={**terraform.environment, "ENV": env, "CI": "true", "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, f"{done.stdout[-3000:]}{done.stderr[-2000:]}"

    make("deploy")
    # An environment has a name, outputs and a state of its own.
    name, file, count = (
        ("serviceconnect-prod", "outputs.prod.json", 2) if env else ("serviceconnect", "outputs.json", 3)
    )
    assert [path.name for path in folder.glob("outputs*.json")] == [file]
    assert (folder / f"terraform.{name}.eu-west-2.loopback.tfstate").exists()
    (outputs,) = json.loads((folder / file).read_text()).values()
    assert outputs["service_name"] == name
    assert len(hostnames(f"{outputs['gateway_url']}/hostname", expected=count)) == count
    make("destroy")
    assert inventory(endpoint.client) == before
