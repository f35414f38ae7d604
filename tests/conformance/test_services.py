"""A second service joins a stack that runs, by the real Terraform with the real provider, and leaves it again."""

from __future__ import annotations

import httpx
import pytest

from tests.conformance.conftest import Deploy, Endpoint
from tests.conformance.left import inventory
from tests.conformance.load import hostnames, load

SERVICES = "examples/services/main.py"


def tasks(endpoint: Endpoint, service: str) -> set[str]:
    """The ARNs of *service*'s tasks."""
    return set(endpoint.client("ecs").list_tasks(cluster="serviceconnect", serviceName=service)["taskArns"])


@pytest.mark.timeout(1200)
def test_a_service_joins_and_leaves_and_no_task_of_the_first_is_replaced(endpoint: Endpoint, deploy: Deploy) -> None:
    before = inventory(endpoint.client)
    settings = {"SC_DRAIN_SECONDS": "8"}
    terraform = deploy(**settings)
    url = f"{terraform.output()['gateway_url']}/hostname"
    first = tasks(endpoint, "serviceconnect")
    assert len(first) == len(hostnames(url, expected=3)) == 3

    with load(url) as answers:
        terraform = deploy(SERVICES, **settings)
    assert answers.keys() == {"200"}
    assert tasks(endpoint, "serviceconnect") == first
    assert len(tasks(endpoint, "caller")) == 2
    assert terraform.changes() == ""
    output = terraform.output()
    assert (output["caller_service_name"], output["caller_url"]) == ("caller", "http://caller:8080")
    # The route leads to a task of the caller's, which knows no other task than its own.
    callers = {httpx.get(f"{output['gateway_url']}/call?service=none").headers["x-hostname"] for _ in range(200)}
    assert len(callers) == 2
    assert not callers & hostnames(url, expected=3)

    with load(url) as answers:
        terraform = deploy(**settings)
    assert answers.keys() == {"200"}
    assert tasks(endpoint, "serviceconnect") == first
    assert httpx.get(f"{output['gateway_url']}/call?service=none").status_code == 404

    terraform.destroy()
    assert inventory(endpoint.client) == before
