"""Services that call each other by Service Connect: real tasks, real Envoys, clients that know nothing of either."""

from __future__ import annotations

import sys
from collections import Counter

import pytest

from tests.twin.running import TwinFactory
from tests.twin.tasks.mesh import Mesh, start_mesh

HTTPX = "import httpx; print(httpx.get('http://shop:8080/').text)"
REQUESTS = "import requests; print(requests.get('http://shop:8080/').text)"
NODE = "fetch('http://shop:8080/').then(answer => answer.text()).then(console.log)"
CLIENTS = {
    "curl": ("curl", "-s", "-w", "\\n", "http://shop:8080/"),
    "httpx": (sys.executable, "-c", HTTPX),
    "requests": (sys.executable, "-c", REQUESTS),
    "node": ("node", "-e", NODE),
}


@pytest.fixture(scope="module")
def mesh(start_twin: TwinFactory, tmp_path_factory: pytest.TempPathFactory) -> Mesh:
    mesh = start_mesh(start_twin, tmp_path_factory.mktemp("mesh"), "--endpoint-propagation", "0")
    mesh.serve("shop", 3)
    mesh.serve("caller")
    return mesh


@pytest.mark.parametrize("client", CLIENTS)
def test_an_unmodified_client_reaches_a_service_by_its_alias(mesh: Mesh, client: str) -> None:
    code, out, err = mesh.run("caller", *CLIENTS[client])

    assert (code, out.strip() in mesh.hosts("shop")) == (0, True), err


def test_the_tasks_of_a_service_get_their_requests_in_turn(mesh: Mesh) -> None:
    answers = mesh.curl("caller", "http://shop:8080/[1-30]")

    assert Counter(answers) == dict.fromkeys((f"200 {host}" for host in mesh.hosts("shop")), 10)
