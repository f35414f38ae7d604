"""main.py as `make synth` and the cdktf command run it: a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from serviceconnect.source import image_tag
from tests.constructs.synthesis import ROOT, Json, container, only

OUTPUTS = 10


def run(program: Path, output: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run *program* from another folder, with an environment that has no Node and no settings but these."""
    return subprocess.run(
        [sys.executable, program],
        cwd=output,
        env={"PATH": "/nowhere", "HOME": os.environ["HOME"], "CDKTF_OUTDIR": str(output), **environment},
        capture_output=True,
        text=True,
    )


def test_synthesizes_the_project(tmp_path: Path) -> None:
    done = run(ROOT / "main.py", tmp_path, SC_DESIRED_COUNT="2")
    assert (done.returncode, done.stderr) == (0, "")
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    stack: Json = json.loads((tmp_path / manifest["stacks"]["serviceconnect"]["synthesizedStackPath"]).read_text())
    assert only(stack, "aws_ecs_service")["desired_count"] == 2
    assert container(stack)["image"].endswith(":" + image_tag(ROOT, "X86_64"))
    # The names that `cdktf deploy --outputs-file` writes.
    names = stack["//"]["outputs"]["serviceconnect"]
    assert len(names) == OUTPUTS
    assert all(name == written for name, written in names.items())
    # The feature flags of cdktf.json are in force: no stack's name in Terraform's addresses.
    assert all(not name.startswith("serviceconnect") for name in stack["resource"]["aws_vpc"])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of the same parts, whose cdktf.json may be changed."""
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("main.py", "cdktf.json", "Dockerfile", "Pipfile.lock"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def test_context_is_read_without_the_cdktf_command(project: Path, tmp_path: Path) -> None:
    configuration = json.loads((project / "cdktf.json").read_text())
    configuration["context"]["serviceconnect"] = {"name": "probe", "region": "eu-west-1"}
    (project / "cdktf.json").write_text(json.dumps(configuration))
    out = tmp_path / "out"
    stale = out / "stacks/old/cdk.tf.json"
    stale.parent.mkdir(parents=True)
    stale.write_text("{}")
    done = run(project / "main.py", out)
    assert done.returncode == 0, done.stderr
    assert [path.parent.name for path in out.glob("stacks/*/cdk.tf.json")] == ["probe"]


def test_unusable_settings(tmp_path: Path) -> None:
    done = run(ROOT / "main.py", tmp_path, SC_CPU="300", SC_DESIRED_COUNT="0", SC_COLOUR="red")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    head, *problems = done.stderr.splitlines()
    assert head.startswith("main.py: these settings cannot be used")
    assert len(problems) == 3


def test_no_node(tmp_path: Path) -> None:
    done = run(ROOT / "main.py", tmp_path, JSII_NODE="/nowhere/node")
    assert done.returncode == 3
    assert done.stderr == "main.py: there is no Node at '/nowhere/node', which CDKTF needs; run `make install`.\n"


def test_cdktf_json_runs_the_virtual_environments_python() -> None:
    assert json.loads((ROOT / "cdktf.json").read_text())["app"] == ".venv/bin/python main.py"
