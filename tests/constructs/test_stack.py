"""The stack as a whole: a snapshot, outputs, backends, provider, and what the JSON must never hold."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from serviceconnect.settings import Settings
from tests.constructs.synthesis import ROOT, Json, Synthesize, everything_on, only, synthesized, texts

SNAPSHOT = Path(__file__).with_name("serviceconnect.tf.json")

OUTPUTS = {
    "gateway_url",
    "region",
    "authorization",
    "cluster_name",
    "service_name",
    "namespace_name",
    "discovery_name",
    "repository_url",
    "container_name",
    "log_group_name",
    "task_security_group_id",
}


def test_snapshot() -> None:
    text = synthesized(Settings()) + "\n"
    if os.environ.get("UPDATE_SNAPSHOT"):
        SNAPSHOT.write_text(text)
    assert text == SNAPSHOT.read_text(), "if the change is meant, run the test again with UPDATE_SNAPSHOT=1"


def test_two_synths_are_equal() -> None:
    assert synthesized(everything_on()) == synthesized(everything_on())


def test_outputs_keep_their_names(stack: Json) -> None:
    assert set(stack["output"]) == OUTPUTS


def test_outputs_of_optional_parts(everything: Json) -> None:
    assert set(everything["output"]) == {*OUTPUTS, "comparison_url", "domain_target", "domain_hosted_zone_id"}
    assert everything["output"]["gateway_url"]["value"] == "https://api.example.com"
    assert everything["output"]["comparison_url"]["value"] == "https://api.example.com/alb"


@pytest.mark.parametrize("which", ["stack", "everything"])
def test_no_path_and_no_account_of_this_machine(which: str, request: pytest.FixtureRequest) -> None:
    whole = json.dumps(request.getfixturevalue(which))
    assert str(ROOT) not in whole
    assert str(Path.home()) not in whole
    if which == "stack":
        assert not re.search(r"\d{12}", whole.replace("0123456789ab", ""))


@pytest.mark.parametrize("which", ["stack", "everything"])
def test_only_plain_references(which: str, request: pytest.FixtureRequest) -> None:
    stack = request.getfixturevalue(which)
    of_provisioners = {"${self.input.namespace_id}", "${self.input.region}"}
    found = {match for text in texts(stack) for match in re.findall(r"[$%]\{[^}]*\}", text)} - of_provisioners
    assert found
    plain = re.compile(r"\$\{(data\.)?aws_\w+\.[\w-]+\.\w+(\[0\]\.\w+)?\}")
    assert not [text for text in found if not plain.fullmatch(text)]


def test_state_is_a_file_outside_of_cdktf_out(stack: Json) -> None:
    assert stack["terraform"]["backend"] == {"local": {"path": "../../../terraform.serviceconnect.eu-west-2.tfstate"}}


def test_state_in_s3(synthesize: Synthesize) -> None:
    stack = synthesize(name="probe", state_bucket="states", state_region="eu-west-1")
    assert stack["terraform"]["backend"] == {
        "s3": {
            "bucket": "states",
            "key": "probe/eu-west-2/terraform.tfstate",
            "region": "eu-west-1",
            "encrypt": True,
            "use_lockfile": True,
        }
    }


def test_an_endpoint_on_this_machine_has_a_state_of_its_own(synthesize: Synthesize) -> None:
    stack = synthesize(endpoint_url="http://127.0.0.1:4566", state_bucket="states")
    assert stack["terraform"]["backend"] == {
        "local": {"path": "../../../terraform.serviceconnect.eu-west-2.loopback.tfstate"}
    }


def test_each_region_has_a_state_of_its_own(synthesize: Synthesize) -> None:
    chosen: list[dict[str, str]] = [{}, {"state_bucket": "states"}, {"endpoint_url": "http://127.0.0.1:4566"}]
    for where in chosen:
        there, elsewhere = (
            synthesize(region=region, **where)["terraform"]["backend"] for region in ("eu-west-2", "us-east-1")
        )
        ((kind, one),) = there.items()
        assert one.get("path", one.get("key")) != elsewhere[kind].get("path", elsewhere[kind].get("key"))


def test_provider_admits_fixes_and_tags_everything(synthesize: Synthesize) -> None:
    stack = synthesize(region="eu-west-1", tags={"Owner": "platform"})
    required = stack["terraform"]["required_providers"]["aws"]
    # OpenTofu has other registries than Terraform, so the name is whole.
    assert required == {"source": "hashicorp/aws", "version": ">= 6.25, < 7"}
    (provider,) = stack["provider"]["aws"]
    assert provider == {
        "region": "eu-west-1",
        "default_tags": [{"tags": {"Project": "serviceconnect", "Owner": "platform"}}],
    }


def test_provider_for_an_endpoint(synthesize: Synthesize) -> None:
    stack = synthesize(endpoint_url="http://127.0.0.1:4566", comparison=True, autoscaling="cpu")
    (provider,) = stack["provider"]["aws"]
    (endpoints,) = provider["endpoints"]
    assert set(endpoints.values()) == {"http://127.0.0.1:4566"}
    assert {"ecs", "ec2", "servicediscovery", "apigatewayv2", "elbv2", "sts"} <= set(endpoints)
    assert provider["skip_credentials_validation"] is True


def test_region_is_in_all_names_that_have_one(synthesize: Synthesize) -> None:
    assert "eu-west-2" not in json.dumps(synthesize(region="eu-central-1"))


def test_only_expected_kinds(stack: Json, everything: Json) -> None:
    assert set(everything["resource"]) - set(stack["resource"]) == {
        "aws_apigatewayv2_api_mapping",
        "aws_apigatewayv2_authorizer",
        "aws_apigatewayv2_domain_name",
        "aws_appautoscaling_policy",
        "aws_appautoscaling_target",
        "aws_ecs_cluster_capacity_providers",
        "aws_iam_role_policy_attachment",
        "aws_lb",
        "aws_lb_listener",
        "aws_lb_target_group",
        "aws_route53_record",
    }
    assert only(stack, "aws_ecs_cluster")["name"] == "serviceconnect"


@pytest.mark.parametrize(
    "kind",
    [
        "aws_apigatewayv2_authorizer",
        "aws_apigatewayv2_stage",
        "aws_apigatewayv2_vpc_link",
        "aws_ecr_repository",
        "aws_ecs_task_definition",
        "aws_lb_target_group",
    ],
)
def test_what_is_in_use_goes_after_its_users_have_moved(everything: Json, synthesize: Synthesize, kind: str) -> None:
    with_fleet = synthesize(load_fleet=1)
    found = [*everything["resource"][kind].values(), *with_fleet["resource"].get(kind, {}).values()]
    assert {resource["lifecycle"]["create_before_destroy"] for resource in found} == {True}
    # Both are there for a while, so a name that has to be unique must not be given.
    if kind == "aws_lb_target_group":
        assert all("name" not in resource and len(resource["name_prefix"]) <= 6 for resource in found)
