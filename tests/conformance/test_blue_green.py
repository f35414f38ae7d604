"""examples/blue-green: all traffic moves from one ECS service to another by the attribute filter of an integration."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.conformance.conftest import Endpoint, MakeEndpoint
from tests.conformance.terraform import Lacking, Terraform
from tests.twin.running import PROJECT, STACK, wait_until

EXAMPLE = PROJECT / "examples/blue-green"
CLIENTS = 4


@pytest.fixture
def endpoint(make_endpoint: MakeEndpoint) -> Endpoint:
    return make_endpoint("--programs", str(EXAMPLE / "twin.toml"))


@pytest.mark.timeout(600)
def test_traffic_moves_at_once_and_back_and_no_request_fails(endpoint: Endpoint, tmp_path: Path) -> None:
    shutil.copy(EXAMPLE / "main.tf", tmp_path)
    # Beside it, for the provider's version: the stack's own, or what this machine has.
    (synthesized,) = STACK.glob("stacks/*/cdk.tf.json")
    required = json.loads(synthesized.read_text())["terraform"]["required_providers"]
    (tmp_path / "cdk.tf.json").write_text(json.dumps({"terraform": {"required_providers": required}}))
    terraform = Terraform(tmp_path, dict(endpoint.environment))
    try:
        terraform.init()
    except Lacking as lacking:
        pytest.skip(f"conformance: {lacking}")
    terraform.apply()
    assert terraform.changes() == ""
    hosts = {colour: hosts_of(endpoint, f"orders-{colour}") for colour in ("blue", "green")}
    assert all(len(found) == 2 for found in hosts.values())

    url = f"{terraform.output()['gateway_url']}/hostname"
    with asked(url) as answers:
        # Green runs and is registered beside blue, and gets nothing.
        wait_until(partial(answer_alone, answers, hosts["blue"]), "blue answers")
        assert {*answers} == hosts["blue"]
        for colour in ("green", "blue"):
            terraform.environment["TF_VAR_live"] = colour
            terraform.apply()
            wait_until(partial(answer_alone, answers, hosts[colour]), f"{colour} alone answers")
    assert terraform.changes() == ""
    # Once each way, and no other host's answer, nor a failure, between.
    colours = [next((colour for colour, found in hosts.items() if answer in found), answer) for answer in answers]
    assert set(colours) == {"blue", "green"}
    terraform.destroy()


def answer_alone(answers: Sequence[str], hosts: set[str]) -> bool:
    """Whether the last hundred answers are of *hosts*, of each some."""
    return len(answers) >= 100 and {*answers[-100:]} == hosts


def hosts_of(endpoint: Endpoint, service: str) -> set[str]:
    """The hosts of a service's tasks, as Cloud Map has their addresses."""
    found = endpoint.client("servicediscovery").discover_instances(
        NamespaceName="orders.internal", ServiceName="orders", QueryParameters={"ECS_SERVICE_NAME": service}
    )["Instances"]
    addresses = [
        f"http://{each['Attributes']['AWS_INSTANCE_IPV4']}:{each['Attributes']['AWS_INSTANCE_PORT']}" for each in found
    ]
    return {httpx.get(f"{address}/hostname").text.strip() for address in addresses}


@contextmanager
def asked(url: str) -> Iterator[list[str]]:
    """GET *url* again and again; hosts and what is no answer of one, in turn."""
    answers: list[str] = []
    over = threading.Event()

    def ask() -> None:
        with httpx.Client(timeout=40) as client:
            while not over.wait(0.02):
                try:
                    answer = client.get(url)
                    answers.append(answer.text.strip() if answer.status_code == 200 else str(answer.status_code))
                except httpx.HTTPError as error:
                    answers.append(repr(error))

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        over.set()
        for thread in threads:
            thread.join()
