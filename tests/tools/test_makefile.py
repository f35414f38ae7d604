"""What make would run: asked with --dry-run."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from lab.experiments.catalogue import EXPERIMENTS
from tests.twin.running import PROJECT
from twin.machine.addresses import free_port


@pytest.fixture(autouse=True)
def _as_from_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests may run below a `make -j`, which hands its jobs down, and would warn that they are out of reach."""
    for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("target", ["deploy", "diff", "destroy"])
@pytest.mark.parametrize(
    ("endpoint", "skipped"),
    [
        ("http://127.0.0.1:4566", True),
        ("http://localhost:4566", True),
        ("http://[::1]:4566", True),
        ("", False),
        ("https://sts.example.com", False),
    ],
)
def test_a_loopback_endpoint_needs_no_lock_of_the_provider(target: str, endpoint: str, skipped: bool) -> None:
    command = ["make", "--dry-run", target]
    done = subprocess.run(
        command, cwd=PROJECT, env=os.environ | {"AWS_ENDPOINT_URL": endpoint}, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if f"bin/cdktf {target}" in line]
    assert ("--skip-provider-lock" in line) is skipped


def _dry(*arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SC_")}
    done = subprocess.run(
        ["make", "--dry-run", *arguments], cwd=PROJECT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_make_run_compares_an_application_that_ends_at_once_with_one_that_serves_on() -> None:
    printed = _dry("run", "DURATION=12", "RATE=50", "USERS=8", "GATEWAY_PORT=8100")

    assert 'stop_task="lab run stop-task --rate 50 --users 8 --no-wait --results $folder"' in printed
    assert "make compare GATEWAY_PORT=8100   stop" in printed  # what is named next is on the ports that were given
    (twin,) = [line for line in printed.splitlines() if line.startswith("twin up")]
    assert "--port 8100" in twin
    ways = "--sweep drain_seconds=0,20 --duration 12 --outlast"
    assert twin.endswith(f"--synth cdktf.out/ends-at-once -- $stop_task {ways}")


def test_make_compare_has_a_stack_without_a_load_balancer_and_one_with() -> None:
    printed = _dry("compare")

    assert 'events="lab run stop-task rollout crash --shortest --no-wait --no-summary --results $folder"' in printed
    assert "python tools/side_by_side.py $folder/load-balancer.log" in printed
    without, beside = re.findall(r'^"(twin up .*)"', printed.replace("\t", ""), re.MULTILINE)
    assert "--port 8000 --aws-port 4566 --synth cdktf.out/ends-at-once " in without
    assert without.endswith("-- $events --users 16 --rate 100 --sweep drain_seconds=0,20")
    assert "--state .twin.8001 --port 8001 --aws-port 4567 --synth cdktf.out/comparison " in beside
    assert beside.endswith("-- $events --users $((2 * 16)) --rate $((2 * 100))")
    assert "lab table $folder/*-study && printf '\\nReport: ' && lab report $folder/*-study" in printed


@pytest.mark.parametrize(
    ("target", "setting"),
    [
        ("run", "GATEWAY_PORT"),
        ("run-services", "AWS_PORT"),
        ("ui", "WEB_PORT"),
        ("compare", "GATEWAY_PORT"),  # of its second twin
    ],
)
def test_a_port_that_is_taken_is_told_before_anything_else(target: str, setting: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        given = {"GATEWAY_PORT": free_port(), "AWS_PORT": free_port(), "WEB_PORT": free_port()}
        given[setting] = port - 1 if target == "compare" else port
        words = [f"{name}={value}" for name, value in given.items()]
        done = subprocess.run(["make", target, *words], cwd=PROJECT, capture_output=True, text=True)

    assert done.returncode == 2
    assert done.stdout == ""
    told = [line for line in done.stderr.splitlines() if f"Port {port} is taken" in line]
    assert len(told) == 1
    assert f"{setting}=PORT of make" in told[0]


def test_ports_whose_next_ones_meet_are_told_before_anything_else() -> None:
    gateway = free_port()
    given = [f"GATEWAY_PORT={gateway}", f"AWS_PORT={gateway + 1}"]
    done = subprocess.run(["make", "compare", *given], cwd=PROJECT, capture_output=True, text=True)

    assert done.returncode == 2
    assert f"Port {gateway + 1} is wanted twice, by AWS_PORT and GATEWAY_PORT: give each its own" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("target", ["run", "compare"])
def test_a_port_that_is_none_is_refused_before_anything_else(target: str) -> None:
    done = subprocess.run(
        ["make", target, "GATEWAY_PORT=80a", f"AWS_PORT={free_port()}"], cwd=PROJECT, capture_output=True, text=True
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("GATEWAY_PORT=80a is no port: give a number from 1 to 65535, such as")


@pytest.mark.parametrize("target", ["run", "compare", "run-services", "ui"])
@pytest.mark.parametrize("setting", ["RATE=abc", "RATE=-1", "USERS=0", "DURATION=1.5"])
def test_a_load_that_is_none_is_refused_before_anything_else(target: str, setting: str) -> None:
    done = subprocess.run(["make", target, setting], cwd=PROJECT, capture_output=True, text=True)

    assert done.returncode == 2
    assert done.stdout == ""
    name = setting.partition("=")[0]
    told = f"{setting} is no load: give a whole number above 0, such as {name}=30."
    assert done.stderr.splitlines()[0] == told


def test_a_load_that_ends_before_the_stop_has_is_refused_before_anything_else() -> None:
    least = int(EXPERIMENTS["stop-task"].least_duration)
    done = subprocess.run(["make", "run", f"DURATION={least - 1}"], cwd=PROJECT, capture_output=True, text=True)

    assert done.returncode == 2
    assert done.stdout == ""
    told = f"DURATION={least - 1} ends before a stop has run its course: give {least} seconds or more."
    assert done.stderr.splitlines()[0] == told


def test_the_load_of_ci_is_long_enough_for_its_experiment() -> None:
    (seconds,) = re.findall(r"make run DURATION=(\d+)", (PROJECT / ".ci/run").read_text())
    stop_task = EXPERIMENTS["stop-task"]
    assert float(seconds) == stop_task.least_duration
    assert float(seconds) + 20 == stop_task.outlasting(20, 5).least_duration


@pytest.mark.parametrize(
    ("chosen", "program"),
    [([], ".venv/bin/python main.py"), (["BINDINGS=cdktn"], ".venv-cdktn/bin/python main.py")],
)
def test_the_bindings_are_a_choice(chosen: list[str], program: str) -> None:
    printed = _dry("--always-make", "deploy", *chosen)
    assert f" deploy --app '{program}' " in printed
    assert ("pip install --no-deps --no-compile --requirement tools/cdktn" in printed) is bool(chosen)


def test_the_providers_lock_is_kept_but_of_an_endpoint_on_this_machine() -> None:
    kept = 'cp "$(ls -t cdktf.out/stacks/*/.terraform.lock.hcl | head -n 1)" .terraform.lock.hcl'
    assert kept in _dry("deploy")
    assert ".terraform.lock.hcl" not in _dry("deploy", "AWS_ENDPOINT_URL=http://127.0.0.1:4566")


@pytest.mark.parametrize(
    ("chosen", "file"),
    [([], "outputs.json"), (["ENV=prod"], "outputs.prod.json"), (["ENV=/home/user/.shrc"], "outputs.json")],
)
def test_each_environment_has_outputs_of_its_own(chosen: list[str], file: str) -> None:
    (line,) = [line for line in _dry("deploy", *chosen).splitlines() if "bin/cdktf deploy" in line]
    assert f"--outputs-file {file} " in f"{line} "


@pytest.mark.parametrize("target", ["lint", "pytest", "deploy", "destroy", "diff", "diagram", "checkov"])
def test_each_line_of_a_recipe_goes_through_a_shell(target: str, tmp_path: Path) -> None:
    """Apple's make 3.81 looks for what it starts itself on the PATH that it was started with: `.venv/bin` is not there.

    So none may be started by make itself, whatever the line needs. Here the shell is one that only writes down.
    """
    written = tmp_path / "lines"
    shell = tmp_path / "sh"
    shell.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$2\" >> '{written}'\n")
    shell.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    command = ["make", "--always-make", "--no-print-directory", target]

    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    dry = subprocess.run([*command, "--dry-run"], cwd=PROJECT, env=environment, capture_output=True, text=True)
    started = _lines(written.read_text())
    assert started == _lines(dry.stdout)
    assert any(".venv/bin" not in line for line in started)


def _lines(text: str) -> list[str]:
    """Commands, a line each: make takes their continuations, and what it does not print, as they are."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
