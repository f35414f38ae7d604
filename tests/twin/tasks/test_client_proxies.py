"""Services that call each other by Service Connect: real tasks, real Envoys, clients that know nothing of either."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.twin.running import TwinFactory, wait_until
from tests.twin.tasks.mesh import Mesh, start_mesh

HTTPX = "import httpx; print(httpx.get('http://shop:8080/').text)"
REQUESTS = "import requests; print(requests.get('http://shop:8080/').text)"
NODE = "fetch({}).then(answer => answer.text()).then(console.log)"
CLIENTS = {
    "curl": ("curl", "-s", "-w", "\\n", "http://shop:8080/"),
    "httpx": (sys.executable, "-c", HTTPX),
    "requests": (sys.executable, "-c", REQUESTS),
    "node": ("node", "-e", NODE.format("'http://shop:8080/'")),
}
GREET = "import socket; print(socket.create_connection(('greeter', 9000)).makefile().readline())"


OPTIONS = ("--endpoint-propagation", "0", "--ejection-time", "2")


def twin(mesh: Mesh, *arguments: str) -> str:
    """What `twin` with these arguments writes."""
    return mesh.twin.says(*arguments)


def require_hosts_files(mesh: Mesh) -> None:
    if "allows no hosts file" in twin(mesh, "ps", "--left-out"):
        pytest.skip("no hosts files on this machine: the way by environment and HTTP_PROXY is tested alone")


@pytest.fixture(scope="module")
def mesh(start_twin: TwinFactory, tmp_path_factory: pytest.TempPathFactory) -> Mesh:
    """Three tasks of `shop` and one of `caller`."""
    mesh = start_mesh(
        start_twin, tmp_path_factory.mktemp("mesh"), "--endpoint-propagation", "0", "--ejection-time", "2"
    )
    mesh.serve("shop", 3, timeout={"perRequestTimeoutSeconds": 1})
    mesh.serve("greeter", 2, port=9000, protocol=None, environment={"MODE": "tcp"})
    mesh.serve("caller")
    require_hosts_files(mesh)
    return mesh


@pytest.mark.parametrize("client", CLIENTS)
def test_an_unmodified_client_reaches_a_service_by_its_alias(mesh: Mesh, client: str) -> None:
    code, out, err = mesh.run("caller", *CLIENTS[client])

    assert (code, out.strip() in mesh.hosts("shop")) == (0, True), err


def test_the_tasks_of_a_service_get_their_requests_in_turn(mesh: Mesh) -> None:
    answers = mesh.curl("caller", "http://shop:8080/[1-30]")

    assert Counter(answers) == dict.fromkeys((f"200 {host}" for host in mesh.hosts("shop")), 10)


def test_a_port_without_a_protocol_is_reached_by_tcp_connection_by_connection(mesh: Mesh) -> None:
    greetings = [mesh.run("caller", sys.executable, "-c", GREET)[1].strip() for _ in range(4)]

    assert sorted(Counter(greetings).values()) == [2, 2]


def test_a_machines_own_hosts_file_is_the_tasks_too_and_stays_as_it_is(mesh: Mesh) -> None:
    before = Path("/etc/hosts").read_text()
    _, seen, _ = mesh.run("caller", "cat", "/etc/hosts")

    assert seen.endswith(before)
    assert [line.split()[1] for line in seen.removesuffix(before).splitlines()] == ["caller", "greeter", "shop"]
    assert Path("/etc/hosts").read_text() == before


def test_who_may_call_whom_is_listed(mesh: Mesh) -> None:
    calls = json.loads(twin(mesh, "ps", "--json"))["calls"]

    assert "caller -> tcp://greeter:9000 (greeter), http://shop:8080 (shop)" in twin(mesh, "ps")
    # `shop` was there first.
    assert [call for call in calls if call["service"] != "caller"] == [
        {"service": "greeter", "endpoint": "http://shop:8080", "target": "shop"}
    ]


def test_what_the_other_service_answers_and_how_long_it_may_take(mesh: Mesh) -> None:
    answers = mesh.curl("caller", *(f"http://shop:8080/{path}" for path in ("status/404", "status/500", "sleep/5")))

    assert [answer.split(None, 1)[0] for answer in answers] == ["404", "500", "504"]


def test_tasks_call_what_was_there_when_their_deployment_began(mesh: Mesh) -> None:
    def called(path: str = "") -> list[str]:
        words = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://late:8080/{path}")
        return [mesh.run("early", *words, task=task)[1] for task in mesh.instances("early")]

    mesh.serve("early")
    mesh.serve("late")
    assert called() == ["000"]  # no such name
    mesh.scale("early", 2)
    assert called() == ["000", "000"]  # a later task of the same deployment
    mesh.redeploy("early")
    assert called() == ["200", "200"]


def test_a_hanging_task_fails_five_requests_and_is_left_out_until_its_time_is_over(mesh: Mesh) -> None:
    hanging, *_ = mesh.instances("shop")
    mesh.curl("caller", "http://shop:8080/[1-6]")  # so that none has failed the last request that it got
    before = mesh.statistics("caller", "shop-8080")
    twin(mesh, "fault", "hang", hanging, "--for", "600")
    try:
        answers = mesh.curl("caller", "http://shop:8080/[1-40]")
    finally:
        twin(mesh, "fault", "hang", hanging, "--undo")
    after = mesh.statistics("caller", "shop-8080")

    # One at a time: every third request meets it, until it has failed five.
    assert Counter(answer[:3] for answer in answers) == {"504": 5, "200": 35}
    assert (
        after["outlier_detection.ejections_enforced_total"] - before["outlier_detection.ejections_enforced_total"] == 1
    )
    wait_until(
        lambda: mesh.statistics("caller", "shop-8080")["outlier_detection.ejections_active"] == 0, "its time is over"
    )
    assert len(set(mesh.curl("caller", "http://shop:8080/[1-9]"))) == 3


def test_a_crash_costs_no_request_for_it_is_tried_again_on_another_task(mesh: Mesh) -> None:
    twin(mesh, "set", "ejection-time=300", "proxy-restarts=0")
    mesh.serve("patient")
    twin(mesh, "set", "endpoint-propagation=3600")  # so that client proxies have to find out by themselves
    crashed, *_ = mesh.instances("shop")
    assert {answer[:3] for answer in mesh.curl("patient", "http://shop:8080/[1-30]")} == {"200"}

    twin(mesh, "fault", "proxy-crash", crashed)
    wait_until(lambda: crashed not in mesh.instances("shop"), "the crashed task is gone")
    answers = mesh.curl("patient", "http://shop:8080/[1-60]")
    counted = mesh.statistics("patient", "shop-8080")

    assert Counter(answer[:3] for answer in answers) == {"200": 60}
    assert counted["upstream_cx_connect_fail"] == counted["upstream_rq_retry"] == counted["upstream_rq_retry_success"]
    assert counted["upstream_rq_retry"] == 5  # then it is left out
    assert counted["outlier_detection.ejections_enforced_total"] == 1


@pytest.fixture(scope="module")
def without(start_twin: TwinFactory, tmp_path_factory: pytest.TempPathFactory) -> Mesh:
    """As on a machine that allows no hosts files."""
    mesh = start_mesh(start_twin, tmp_path_factory.mktemp("mesh"), "--no-hosts-files", *OPTIONS)
    mesh.serve("shop", 2)
    mesh.serve("caller", environment={"SHOP": "http://shop:8080/", "OTHER": "http://workshop:8080/"})
    return mesh


@pytest.mark.parametrize("client", [name for name in CLIENTS if name != "node"])
def test_without_a_hosts_file_a_client_that_reads_http_proxy_reaches_the_alias(without: Mesh, client: str) -> None:
    code, out, err = without.run("caller", *CLIENTS[client])

    assert (code, out.strip() in without.hosts("shop")) == (0, True), err


def test_without_a_hosts_file_a_value_of_the_environment_leads_to_the_alias(without: Mesh) -> None:
    code, out, err = without.run("caller", "node", "-e", NODE.format("process.env.SHOP"))

    assert (code, out.strip() in without.hosts("shop")) == (0, True), err
    assert without.run("caller", "printenv", "OTHER")[1] == "http://workshop:8080/\n"


def test_without_a_hosts_file_other_names_are_found_as_before(without: Mesh) -> None:
    url = without.twin.aws_endpoint_url.replace("127.0.0.1", "localhost")
    words = ("curl", "-sv", "--noproxy", "", "-o", "/dev/null", url)  # by the proxy, for which no name is an exception
    _, _, said = without.run("caller", *words)

    assert "Uses proxy env variable http_proxy" in said
    assert "< server: envoy" in said
    assert "< HTTP/1.1 4" in said  # the endpoint's own answer: nothing is signed


def test_which_way_names_are_reached_is_listed(without: Mesh) -> None:
    assert "Service Connect, names: without hosts files of a task's own: values of its environment" in twin(
        without, "ps", "--left-out"
    )
