"""The stack by the cdktf command, as `make deploy` and `make destroy` run it."""

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

CDKTF = PROJECT / "node_modules" / ".bin" / "cdktf"


@pytest.mark.timeout(1200)
def test_cdktf_deploys_and_destroys(endpoint: Endpoint, tmp_path: Path) -> None:
    if not CDKTF.exists():
        pytest.skip("conformance: the cdktf command is not installed (`make node_modules/.installed` installs it)")
    for name in ("main.py", "constructs", "app", "Dockerfile", ".dockerignore"):
        (tmp_path / name).symlink_to(PROJECT / name)
    configuration = json.loads((PROJECT / "cdktf.json").read_text())
    configuration["app"] = f"{sys.executable} -m tests.conformance.synthesize"
    (tmp_path / "cdktf.json").write_text(json.dumps(configuration))
    synthesize(tmp_path / "asked")
    terraform = Terraform(tmp_path, {**endpoint.environment, "PYTHONPATH": str(PROJECT)})
    try:
        terraform.prepare(next((tmp_path / "asked").glob("stacks/*/cdk.tf.json")))
    except Lacking as lacking:
        pytest.skip(f"conformance: {lacking}")
    before = inventory(endpoint.client)

    def cdktf(command: str, *options: str) -> None:
        done = subprocess.run(
            [CDKTF, command, "--auto-approve", "--skip-provider-lock", "--output", "out", *options],
            cwd=tmp_path,
            env={**terraform.environment, "CI": "true", "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, f"{done.stdout[-3000:]}{done.stderr[-2000:]}"

    cdktf("deploy", "--outputs-file", "outputs.json")
    (outputs,) = json.loads((tmp_path / "outputs.json").read_text()).values()
    assert len(hostnames(f"{outputs['gateway_url']}/hostname", expected=3)) == 3
    cdktf("destroy")
    assert inventory(endpoint.client) - before == frozenset()
