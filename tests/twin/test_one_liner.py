"""README's one line for a service of one's own, in a folder that holds nothing of this project."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import httpx
import pytest

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
    return start_twin(*one_liner, "--name-tasks", "--proxy-drain", "0", synth=None, folder=folder)


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


def test_the_gateways_own_answers_name_none(start_twin: TwinFactory, one_liner: list[str], folder: Path) -> None:
    twin = start_twin(*one_liner, "--name-tasks", "--routes", "GET /index.html", synth=None, folder=folder)
    with httpx.Client(base_url=twin.gateway_url) as client:
        assert "x-hostname" in client.get("/index.html").headers
        none = client.get("/")
    assert none.status_code == 404
    assert "x-hostname" not in none.headers
