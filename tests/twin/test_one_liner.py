"""README's one line for a service of one's own, in a folder that holds nothing of this project."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import httpx
import pytest

from lab import cli as lab_cli
from tests.command import Ran, in_process
from tests.twin.running import PROJECT, RunningTwin, TwinFactory

README = (PROJECT / "README.md").read_text()


@pytest.fixture(scope="module")
def one_liner() -> list[str]:
    """Its options; `python` is whatever runs the tests."""
    (found,) = re.findall(r"`twin up (--command '.*?'.*?)`", README)
    return shlex.split(found.replace("'python ", f"'{sys.executable} "))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("site")
    (made / "index.html").write_text("mine")
    return made


@pytest.fixture(scope="module")
def twin(start_twin: TwinFactory, one_liner: list[str], folder: Path) -> RunningTwin:
    return start_twin(*one_liner, "--proxy-drain", "0", synth=None, folder=folder)


def test_it_serves_every_path(ask: httpx.Client) -> None:
    assert ask.get("/").text == "mine"
    assert ask.get("/index.html?a=1").text == "mine"
    assert ask.get("/nothing").headers["server"] == "envoy"  # the service's 404, not the gateway's
    assert ask.post("/").status_code == 501  # the service's as well


def test_its_answers_name_their_task(twin: RunningTwin, ask: httpx.Client) -> None:
    addresses = {
        interface["privateIpv4Address"].replace(".", "-")
        for task in twin.tasks()
        for container in task["containers"]
        for interface in container["networkInterfaces"]
    }
    named = {ask.get("/nothing").headers["x-hostname"] for _ in range(60)}

    assert len(addresses) == 3
    assert named == {f"ip-{address}.eu-west-2.compute.internal" for address in addresses}


def test_the_gateways_own_answers_name_none(ask: httpx.Client) -> None:
    refused = ask.get("/", headers={"host": "example.com"})
    assert refused.status_code == 403
    assert "x-hostname" not in refused.headers


def lab_run(twin: RunningTwin, results: Path, path: str) -> Ran:
    load = ("baseline", "--users", "2", "--rate", "20", "--duration", "4", "--path", path, "--json")
    where = ("--target", str(twin.state / "outputs.json"), "--results", str(results))
    return in_process("lab", lab_cli.main)("run", *load, *where)


def test_the_lab_tells_its_hosts_apart(twin: RunningTwin, tmp_path: Path) -> None:
    done = lab_run(twin, tmp_path, "/")
    assert done.code == 0, done.err
    found = done.json
    assert found["requests"] > 40
    assert len(found["windows"][0]["hosts"]) == 3


def test_the_lab_says_what_it_saw_where_no_answer_names_its_host(
    start_twin: TwinFactory, one_liner: list[str], folder: Path, tmp_path: Path
) -> None:
    unnamed = [option for option in one_liner if option != "--name-tasks"]
    twin = start_twin(*unnamed, "--routes", "GET /index.html", synth=None, folder=folder)
    done = lab_run(twin, tmp_path / "named", "/index.html")
    assert done.code == 0, done.err
    (report,) = tmp_path.glob("named/*/report.html")
    assert "No answer named its host in <code>x-hostname</code>" in report.read_text()

    refused = lab_run(twin, tmp_path / "refused", "/")
    assert refused.code == 3
    assert "requests for / with an error (the last: 404), and no answer named a host" in refused.err
    assert "--path" in refused.err
