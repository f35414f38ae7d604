from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.errors import BadStack
from twin.stack.references import mentioned
from twin.stack.terraform import Stack, load_stack

SYNTHESIZED = Path(__file__).parents[1] / "cdk.tf.json"

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def content() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(SYNTHESIZED.read_text())
    return read


def write(folder: Path, *names: str, content: str | None = None) -> Path:
    """A folder as `cdktf synth` leaves it, with stacks of these names."""
    stacks = {name: {"name": name, "synthesizedStackPath": f"stacks/{name}/cdk.tf.json"} for name in names}
    (folder / "manifest.json").write_text(json.dumps({"version": "0.21.0", "stacks": stacks}))
    for name in names:
        file = folder / "stacks" / name / "cdk.tf.json"
        file.parent.mkdir(parents=True)
        file.write_text(SYNTHESIZED.read_text() if content is None else content)
    return folder


def loaded(content: dict[str, Any], folder: Path) -> Stack:
    file = folder / "cdk.tf.json"
    file.write_text(json.dumps(content))
    return load_stack(file)


def test_a_stack_is_read_from_its_file() -> None:
    stack = load_stack(SYNTHESIZED)

    assert (stack.name, stack.region, stack.default_tags) == ("shop", "eu-west-2", {"Project": "shop"})
    assert stack.outputs["cluster_name"] == "${aws_ecs_cluster.cluster.name}"
    discovered = stack.resources["data.aws_service_discovery_service.discovered"]
    assert discovered.type == "data.aws_service_discovery_service"
    assert discovered.depends_on == ("aws_ecs_service.service",)
    assert discovered.arguments == {
        "name": "shop-http",
        "namespace_id": "${aws_service_discovery_http_namespace.namespace.id}",
    }


def test_terraforms_own_arguments_are_apart() -> None:
    (service,) = load_stack(SYNTHESIZED).of_type("aws_ecs_service")

    assert service.meta.keys() == {"depends_on", "lifecycle"}
    assert not service.meta.keys() & service.arguments.keys()


def test_a_stack_is_read_from_the_folder_of_a_synthesis(tmp_path: Path) -> None:
    assert load_stack(write(tmp_path, "live")) == load_stack(SYNTHESIZED)


def test_a_stack_without_metadata_has_its_folders_name(content: dict[str, Any], tmp_path: Path) -> None:
    del content["//"]

    assert loaded(content, tmp_path).name == tmp_path.name


def test_of_two_stacks_neither_is_chosen(tmp_path: Path) -> None:
    with pytest.raises(BadStack, match=r"2 stacks \(live, next\).*--synth .*stacks/live/cdk.tf.json"):
        load_stack(write(tmp_path, "live", "next"))


def test_resources_come_after_what_they_need() -> None:
    stack = load_stack(SYNTHESIZED)
    order = [resource.address for resource in stack.in_order()]

    assert sorted(order) == sorted(stack.resources)
    for resource in stack.resources.values():
        for needed in resource.depends_on:
            assert order.index(needed) < order.index(resource.address)
    chain = [
        "aws_vpc.vpc",
        "aws_subnet.private-a",
        "aws_ecs_service.service",
        "data.aws_service_discovery_service.discovered",
        "aws_apigatewayv2_integration.integration",
        "aws_apigatewayv2_route.route",
    ]
    assert sorted(chain, key=order.index) == chain


def test_services_come_first_with_what_they_need_and_nothing_else() -> None:
    """Their tasks start while the rest is deployed."""
    stack = load_stack(SYNTHESIZED)
    order = [resource.address for resource in stack.in_order()]
    end = order.index("aws_ecs_service.service") + 1

    needed = {"aws_ecs_service.service"}
    for address in reversed(order[:end]):
        assert address in needed
        needed |= {*stack.resources[address].depends_on, *mentioned(stack.resources[address].arguments)}
    assert {"aws_apigatewayv2_api.api", "aws_apigatewayv2_route.route"} <= set(order[end:])


def test_what_the_twin_passes_over_still_orders_the_rest(content: dict[str, Any], tmp_path: Path) -> None:
    content["resource"]["terraform_data"]["wait"]["input"] = {"text": "${upper(aws_lb_listener_rule.hostname.id)}"}

    order = [resource.address for resource in loaded(content, tmp_path).in_order()]

    assert order.index("aws_lb_listener_rule.hostname") < order.index("aws_ecs_service.service")


def test_a_circle_is_refused(content: dict[str, Any], tmp_path: Path) -> None:
    content["resource"]["aws_vpc"]["vpc"]["tags"] = {"Subnet": "${aws_subnet.private-a.id}"}

    with pytest.raises(BadStack, match=r"in a circle \(.*aws_vpc\.vpc.* -> .*\)"):
        loaded(content, tmp_path).in_order()


def test_depends_on_must_name_something(content: dict[str, Any], tmp_path: Path) -> None:
    content["resource"]["aws_vpc"]["vpc"]["depends_on"] = ["aws_vpc.other"]

    with pytest.raises(BadStack, match=r"aws_vpc\.vpc, argument depends_on: the stack has no aws_vpc\.other"):
        loaded(content, tmp_path).in_order()


def test_a_module_is_among_the_resources(content: dict[str, Any], tmp_path: Path) -> None:
    content["module"] = {"vpc": {"source": "terraform-aws-modules/vpc/aws"}}
    content["resource"]["aws_vpc"]["vpc"]["depends_on"] = ["module.vpc"]

    order = [resource.type for resource in loaded(content, tmp_path).in_order()]

    assert order.index("module") < order.index("aws_vpc")


def test_the_provider_without_alias_counts(content: dict[str, Any], tmp_path: Path) -> None:
    content["provider"]["aws"] = [{"alias": "edge", "region": "us-east-1"}, {"region": "eu-west-1"}]

    assert loaded(content, tmp_path).region == "eu-west-1"


def test_a_provider_that_names_no_region_has_that_of_the_environment(content: dict[str, Any], tmp_path: Path) -> None:
    del content["provider"]
    (tmp_path / "cdk.tf.json").write_text(json.dumps(content))

    assert load_stack(tmp_path / "cdk.tf.json", "eu-west-1").region == "eu-west-1"


def rename(content: dict[str, Any], type: str) -> None:
    content["resource"][f"{type}_of_another_kind"] = content["resource"].pop(type)


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda stack: stack.pop("resource"), "is no Terraform JSON with resources"),
        (lambda stack: stack.update(planned_values={}), "is a plan or a state, .* terraform apply -auto-approve"),
        (lambda stack: stack.pop("provider"), "names no region: .* or set AWS_REGION"),
        (lambda stack: stack["provider"]["aws"][0].pop("region"), "names no region: .* or set AWS_REGION"),
        (lambda stack: stack["provider"]["aws"][0].update(region="${var.region}"), r"not '\$\{var\.region\}'"),
        (lambda stack: rename(stack, "aws_ecs_service"), "has no aws_ecs_service, whose tasks the twin runs"),
        (lambda stack: rename(stack, "aws_ecs_task_definition"), "has no aws_ecs_task_definition"),
        (lambda stack: stack["resource"]["aws_vpc"].update(vpc=["what"]), r"aws_vpc\.vpc is no block"),
        (lambda stack: stack["resource"]["aws_vpc"]["vpc"].update(depends_on=5), r"aws_vpc\.vpc is no block"),
    ],
)
def test_a_stack_that_lacks_something_is_refused(
    edit: Edit, sentence: str, content: dict[str, Any], tmp_path: Path
) -> None:
    edit(content)

    with pytest.raises(BadStack, match=sentence):
        loaded(content, tmp_path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"resource": {\n  "aws_vpc"\n}}', r"is not JSON \(line 3, column 1: .*\): run `make synth` again"),
        ("", r"is not JSON \(line 1, column 1"),
        ("[]", "holds no JSON object"),
        ("{}", "is no Terraform JSON with resources"),
    ],
)
def test_a_malformed_file_is_refused(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(BadStack, match=sentence):
        load_stack(write(tmp_path, "live", content=text))


def test_an_absent_file_says_what_to_run(tmp_path: Path) -> None:
    for absent in (tmp_path / "cdktf.out", tmp_path):
        with pytest.raises(BadStack, match="does not exist: run `make synth`"):
            load_stack(absent)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cdk.tf.json").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(BadStack, match="cannot be read"):
        load_stack(tmp_path / "cdk.tf.json")


@pytest.mark.parametrize("stacks", [{}, [], None, {"live": {}}, {"live": {"synthesizedStackPath": 3}}])
def test_a_manifest_without_a_stack_is_refused(stacks: Any, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"stacks": stacks}))

    with pytest.raises(BadStack, match=r"manifest\.json names no stack"):
        load_stack(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("abc$", max_size=3), inner, max_size=2),
    max_leaves=4,
)


@settings(deadline=None)
@given(st.data())
def test_a_damaged_stack_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever stands in any one place of the JSON, there is a stack or a sentence."""
    content = json.loads(SYNTHESIZED.read_text())
    place: Any = content
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not place[key] or not isinstance(place[key], dict | list) or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JSON)

    sentence = "."
    try:
        loaded(content, tmp_path_factory.getbasetemp()).in_order()
    except BadStack as refusal:
        sentence = str(refusal)

    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_a_stack_without_a_way_in_says_so(content: dict[str, Any], tmp_path: Path) -> None:
    assert loaded(content, tmp_path).gaps == ()

    rename(content, "aws_apigatewayv2_api")
    content["resource"].pop("aws_lb", None)
    (gap,) = loaded(content, tmp_path).gaps

    assert str(gap).endswith("it has no HTTP API and no load balancer, so the gateway answers 404")
