"""A stack as others write them, plain HCL in another Region and without Service Connect: see foreign/main.tf."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.conformance.conftest import Endpoint, MakeEndpoint
from tests.conformance.left import inventory
from tests.conformance.load import hostnames, load
from tests.conformance.terraform import Lacking, Terraform
from tests.twin.running import STACK

SOURCE = Path(__file__).parent / "foreign" / "main.tf"
REGION = "us-east-1"


@pytest.fixture
def elsewhere(make_endpoint: MakeEndpoint) -> Endpoint:
    return make_endpoint("--region", REGION)


@pytest.mark.timeout(1200)
def test_a_foreign_stack_is_applied_changed_and_destroyed(elsewhere: Endpoint, tmp_path: Path) -> None:
    shutil.copy(SOURCE, tmp_path)
    # Beside it, for the provider's version: the stack's own, or what this machine has.
    (synthesized,) = STACK.glob("stacks/*/cdk.tf.json")
    required = json.loads(synthesized.read_text())["terraform"]["required_providers"]
    (tmp_path / "cdk.tf.json").write_text(json.dumps({"terraform": {"required_providers": required}}))
    terraform = Terraform(tmp_path, {**elsewhere.environment, "TF_VAR_region": REGION})
    try:
        terraform.init()
    except Lacking as lacking:
        pytest.skip(f"conformance: {lacking}")
    before = inventory(elsewhere.client)

    terraform.apply()
    assert terraform.changes() == ""
    assert terraform.output()["url"].endswith(f".execute-api.{REGION}.amazonaws.com/")
    url = f"{terraform.output()['gateway_url']}/hostname"
    old = hostnames(url, expected=2)
    assert {host.partition(".")[2] for host in old} == {"ec2.internal"}

    terraform.environment["TF_VAR_image"] = "shop:2"
    with load(url) as answers:
        terraform.apply()
    assert answers.keys() == {"200"}
    assert terraform.changes() == ""
    assert hostnames(url, expected=2).isdisjoint(old)

    terraform.destroy()
    assert inventory(elsewhere.client) == before
