"""The tools around the stack: what a deployment needs, the diagram, the pinned cdktf command."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from examples.services.main import services
from serviceconnect.settings import Settings
from tests.constructs.stand_ins import StandIns
from tests.constructs.synthesis import ROOT, synthesize_with, synthesized

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An AWS endpoint on this machine that knows everybody."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def tools(tmp_path: Path) -> StandIns:
    """A PATH with a Terraform and a Docker that are good enough."""
    tools = StandIns(tmp_path / "bin")
    tools.add("terraform", """echo '{"terraform_version": "1.11.4"}'""")
    tools.add("docker", "")
    return tools


def preflight(action: str, tools: StandIns, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    # No instance metadata, no files of this user's: no credentials but those given.
    quiet = {"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(home), "PATH": str(tools.folder)}
    return subprocess.run(
        [sys.executable, ROOT / "tools/preflight.py", action],
        env=quiet | environment,
        capture_output=True,
        text=True,
    )


def test_nothing_is_missing(tools: StandIns, tmp_path: Path, endpoint: str) -> None:
    done = preflight("deploy", tools, tmp_path, AWS_ENDPOINT_URL=endpoint, **CREDENTIALS)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    # No image goes to an endpoint on this machine.
    assert tools.calls() == ["terraform version -json"]


def test_all_that_is_missing_is_said_at_once(tools: StandIns, tmp_path: Path) -> None:
    for name in ("terraform", "docker"):
        (tools.folder / name).unlink()
    done = preflight("deploy", tools, tmp_path)
    assert done.returncode == 3
    head, *missing = done.stderr.splitlines()
    assert head == "make deploy cannot go through:"
    assert [sentence.split()[0] for sentence in missing] == ["terraform", "docker", "there"]
    assert "aws configure" in missing[2]
    assert "make aws" in missing[2]


@pytest.mark.parametrize("chosen", [{"action": "destroy"}, {"action": "diff"}, {"SC_IMAGE_URI": "given"}])
def test_docker_is_needed_for_building_only(tools: StandIns, tmp_path: Path, chosen: dict[str, str]) -> None:
    (tools.folder / "docker").unlink()
    image = {"SC_IMAGE_URI": "123456789012.dkr.ecr.eu-west-2.amazonaws.com/probe:1"} if "SC_IMAGE_URI" in chosen else {}
    done = preflight(chosen.get("action", "deploy"), tools, tmp_path, **image)
    assert "docker" not in done.stderr
    assert done.returncode == 3


@pytest.mark.parametrize(
    ("body", "sentence"), [('[ "$1" != buildx ]', "docker has no buildx"), ('[ "$1" != info ]', "reaches no engine")]
)
def test_docker_that_cannot_build(tools: StandIns, tmp_path: Path, body: str, sentence: str) -> None:
    tools.add("docker", body)
    assert sentence in preflight("deploy", tools, tmp_path).stderr


def test_old_terraform(tools: StandIns, tmp_path: Path, endpoint: str) -> None:
    tools.add("terraform", """echo '{"terraform_version": "1.5.7"}'""")
    done = preflight("diff", tools, tmp_path, AWS_ENDPOINT_URL=endpoint, **CREDENTIALS)
    assert done.returncode == 3
    assert "terraform is version 1.5.7: install 1.10 or newer." in done.stderr


def test_opentofu(tools: StandIns, tmp_path: Path, endpoint: str) -> None:
    (tools.folder / "terraform").rename(tools.folder / "tofu")
    chosen = {"TERRAFORM_BINARY_NAME": "tofu", "AWS_ENDPOINT_URL": endpoint}
    assert preflight("diff", tools, tmp_path, **chosen, **CREDENTIALS).returncode == 0


def test_no_twin_at_the_endpoint(tools: StandIns, tmp_path: Path) -> None:
    chosen = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    done = preflight("deploy", tools, tmp_path, **chosen, **CREDENTIALS)
    assert done.returncode == 3
    assert "http://127.0.0.1:1 cannot be asked who you are" in done.stderr
    assert "twin env" in done.stderr


def test_unusable_settings(tools: StandIns, tmp_path: Path) -> None:
    done = preflight("deploy", tools, tmp_path, SC_CPU="300")
    assert done.returncode == 2
    assert "cpu = 300 must be one of" in done.stderr


@pytest.fixture
def stack_file(tmp_path: Path) -> Path:
    """The default stack as a file."""
    path = tmp_path / "cdk.tf.json"
    path.write_text(synthesized(Settings()))
    return path


def diagram(stack: Path, picture: str = "architecture.png") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "tools/diagram.py", stack, ROOT / "docs" / picture, "--check"],
        capture_output=True,
        text=True,
    )


def test_the_picture_shows_the_stack(stack_file: Path) -> None:
    done = diagram(stack_file)
    assert done.returncode == 0, done.stderr


def test_the_picture_of_two_services_shows_them(stack_file: Path) -> None:
    stack_file.write_text(json.dumps(synthesize_with(services)))
    done = diagram(stack_file, "services.png")
    assert done.returncode == 0, done.stderr
    assert diagram(stack_file).returncode == 1


def test_a_picture_of_another_stack_is_noticed(stack_file: Path) -> None:
    stack_file.write_text(synthesized(Settings(desired_count=4)))
    done = diagram(stack_file)
    assert done.returncode == 1
    assert "make diagram" in done.stderr


def test_the_cdktf_command_is_pinned_beside_its_library() -> None:
    wanted = json.loads((ROOT / "package.json").read_text())["dependencies"]["cdktf-cli"]
    locked = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    library = json.loads((ROOT / "Pipfile.lock").read_text())["tools"]["cdktf"]["version"]
    assert locked["node_modules/cdktf-cli"]["version"] == wanted == library.removeprefix("==")
    # Which registry packages come from is each machine's own configuration.
    assert not [name for name, package in locked.items() if "resolved" in package]
    assert all("integrity" in package for name, package in locked.items() if name and not package.get("inBundle"))


@pytest.mark.parametrize("target", ["deploy", "destroy", "diff"])
def test_terraform_takes_the_state_of_another_region_as_it_is(target: str) -> None:
    """Otherwise `init` stops where the Region has changed, for in the stack's folder the backend was another."""
    told = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (command,) = (line for line in told.splitlines() if "bin/cdktf" in line)
    assert command.partition("node_modules")[0].split() == ["CHECKPOINT_DISABLE=1", "TF_CLI_ARGS_init=-reconfigure"]


@pytest.fixture
def terminal_module(tmp_path: Path) -> Path:
    """A module of the name that cdktf needs, without the binary for this machine."""
    folder = tmp_path / "node_modules/@cdktf/node-pty-prebuilt-multiarch"
    folder.mkdir(parents=True)
    (folder / "index.js").write_text("require('./built')\n")
    return folder


def see_to_the_terminal_module(module: Path, install: str) -> subprocess.CompletedProcess[str]:
    """Run the script with the real npm, where the module's own way to a binary is the shell line *install*."""
    manifest = {"name": "@cdktf/node-pty-prebuilt-multiarch", "version": "1.0.0", "scripts": {"install": install}}
    (module / "package.json").write_text(json.dumps(manifest))
    return subprocess.run(
        ["/bin/sh", ROOT / "tools/terminal_module.sh"],
        cwd=module.parents[2],
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(module.parents[2])},
        capture_output=True,
        text=True,
    )


def test_a_terminal_module_with_a_binary_is_left_as_it_is(terminal_module: Path) -> None:
    (terminal_module / "built.js").write_text("")
    done = see_to_the_terminal_module(terminal_module, "exit 1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_terminal_module_without_a_binary_is_compiled(terminal_module: Path) -> None:
    # With the headers of the Node that runs it, where tools/install.py leaves them: none are fetched.
    done = see_to_the_terminal_module(terminal_module, 'test -x "$npm_config_nodedir/bin/node" && touch built.js')
    assert done.returncode == 0, done.stderr
    assert (terminal_module / "built.js").exists()


@pytest.mark.parametrize("install", ["echo no compiler >&2; exit 1", "true"])
def test_without_a_way_to_a_binary_nothing_is_left(terminal_module: Path, install: str) -> None:
    done = see_to_the_terminal_module(terminal_module, install)
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith(
        "terminal_module: @cdktf/node-pty-prebuilt-multiarch, which cdktf needs"
    )
    assert not (terminal_module.parents[1]).exists()


def test_checkov_is_pinned() -> None:
    lines = (ROOT / "tools/checkov/requirements.txt").read_text().splitlines()
    packages = [line for line in lines if not line.startswith("#")]
    assert any(package.startswith("checkov==") for package in packages)
    assert all("==" in package for package in packages)


def test_every_skipped_check_has_its_reason() -> None:
    lines = (ROOT / "tools/checkov/checkov.yaml").read_text().partition("skip-check:\n")[2].splitlines()
    assert lines[0].strip().startswith("#")
    assert all(line.strip().startswith(("#", "- CKV")) for line in lines)
