"""main.py as `make synth` and the cdktf command run it: a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from serviceconnect.source import service_image
from tests.constructs.synthesis import ROOT, Json, container, only, script

OUTPUTS = 11


def run(program: Path, output: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run *program* from another folder, with an environment that has no Node and no settings but these."""
    return subprocess.run(
        [sys.executable, program],
        cwd=output,
        env={"PATH": "/nowhere", "HOME": os.environ["HOME"], "CDKTF_OUTDIR": str(output), **environment},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where main.py has synthesized, without the cdktf command, a project of the same parts with settings of its own.

    Some are in cdktf.json, some in the environment. Another stack was there before.
    """
    project, out = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("out")
    for name in ("main.py", "cdktf.json", "Dockerfile", ".dockerignore", "Pipfile", "Pipfile.lock"):
        shutil.copy(ROOT / name, project / name)
    shutil.copytree(ROOT / "app", project / "app")
    configuration = json.loads((project / "cdktf.json").read_text())
    configuration["context"]["serviceconnect"] = {"name": "probe", "region": "eu-west-1"}
    (project / "cdktf.json").write_text(json.dumps(configuration))
    for name in ("cdk.tf.json", "assets/script-old/0A1B/old.sh"):
        stale = out / "stacks/old" / name
        stale.parent.mkdir(parents=True, exist_ok=True)
        stale.write_text("{}")
    (project / ".terraform.lock.hcl").write_text("# kept")
    done = run(project / "main.py", out, SC_DESIRED_COUNT="2")
    assert (done.returncode, done.stderr) == (0, "")
    return out


@pytest.fixture(scope="module")
def written(output: Path) -> Json:
    """The stack that the manifest names."""
    manifest = json.loads((output / "manifest.json").read_text())
    stack: Json = json.loads((output / manifest["stacks"]["probe"]["synthesizedStackPath"]).read_text())
    return stack


def test_the_lock_of_the_provider_is_where_terraform_looks(output: Path) -> None:
    assert (output / "stacks/probe/.terraform.lock.hcl").read_text() == "# kept"


def test_settings_are_those_of_context_and_environment(written: Json) -> None:
    assert written["provider"]["aws"][0]["region"] == "eu-west-1"
    assert only(written, "aws_ecs_service")["desired_count"] == 2


def test_the_image_is_that_of_the_sources(written: Json) -> None:
    assert container(written)["image"].endswith(":" + service_image(ROOT, "X86_64").tag)


def test_outputs_have_the_names_that_cdktf_deploy_writes(written: Json) -> None:
    names = written["//"]["outputs"]["probe"]
    assert len(names) == OUTPUTS
    assert all(name == output for name, output in names.items())


def test_the_feature_flags_of_cdktf_json_are_in_force(written: Json) -> None:
    """No stack's name is in Terraform's addresses."""
    assert all(not name.startswith("probe") for name in written["resource"]["aws_vpc"])


def test_a_stack_that_is_not_synthesized_any_more_goes(output: Path) -> None:
    assert [path.parent.name for path in output.glob("stacks/*/cdk.tf.json")] == ["probe"]
    assert not list(output.glob("**/script-old"))


def test_what_terraform_runs_is_beside_the_stack(output: Path, written: Json) -> None:
    runs = [resource["provisioner"][0]["local-exec"] for resource in written["resource"]["terraform_data"].values()]
    assert {script(run["command"]) for run in runs} == {
        "await_cloud_map",
        "await_deployment",
        "mark_deployed",
        "push_image",
    }
    for run in runs:
        assert (output / "stacks/probe" / run["command"].removeprefix("sh ")).exists()
        if "CONTEXT" in run["environment"]:
            assert (output / "stacks/probe" / run["environment"]["CONTEXT"] / "Dockerfile").exists()


def test_unusable_settings(tmp_path: Path) -> None:
    done = run(ROOT / "main.py", tmp_path, SC_CPU="300", SC_DESIRED_COUNT="0", SC_COLOUR="red")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    head, *problems = done.stderr.splitlines()
    assert head.startswith("main.py: these settings cannot be used")
    assert len(problems) == 3


def test_a_health_check_that_cannot_pass_in_the_image_is_warned_of_and_synthesized(tmp_path: Path) -> None:
    done = run(ROOT / "main.py", tmp_path, SC_HEALTH_CHECK="curl -f http://localhost:8080/ready")
    assert done.returncode == 0
    curl, localhost = done.stderr.splitlines()
    assert curl.startswith("warning: health_check = curl -f http://localhost:8080/ready calls curl, and the Dockerfile")
    assert localhost.startswith("warning: health_check = ")
    (stack,) = json.loads((tmp_path / "manifest.json").read_text())["stacks"].values()
    said = [each["message"] for each in stack["annotations"]]  # what the cdktf command prints
    assert [f"warning: {message}" for message in said] == [curl, localhost]


def test_no_node(tmp_path: Path) -> None:
    done = run(ROOT / "main.py", tmp_path, JSII_NODE="/nowhere/node")
    assert done.returncode == 3
    assert done.stderr.startswith("main.py: there is no Node that runs at '/nowhere/node'; CDKTF needs it: run `make ")


@pytest.mark.parametrize(
    ("says", "problem"),
    [
        ("exit 1", "there is no Node that runs at"),
        ("echo hello", "there is no Node that runs at"),
        ("echo v20.19.0", "is v20.19.0, and 22 or newer is needed"),
    ],
)
def test_a_node_that_will_not_do(tmp_path: Path, says: str, problem: str) -> None:
    node = tmp_path / "node"
    node.write_text(f"#!/bin/sh\n{says}\n")
    node.chmod(0o755)

    done = run(ROOT / "main.py", tmp_path, JSII_NODE=str(node))

    assert done.returncode == 3
    assert problem in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_cdktf_json_runs_the_virtual_environments_python() -> None:
    assert json.loads((ROOT / "cdktf.json").read_text())["app"] == ".venv/bin/python main.py"
