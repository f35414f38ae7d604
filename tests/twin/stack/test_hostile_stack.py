"""A stack that cannot be run, or was made to do harm: one sentence, exit 2, and nothing is started or left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.command import Command
from tests.twin.running import PROJECT, twin_command, wait_until
from twin.aws.client import Aws
from twin.errors import BadStack
from twin.machine.addresses import free_port
from twin.machine.capacity import most_tasks
from twin.stack import deploy
from twin.stack.terraform import load_stack

STACK = json.loads((Path(__file__).parents[1] / "cdk.tf.json").read_text())
Json = dict[str, Any]


def edited(edit: Callable[[Json], object]) -> str:
    content = json.loads(json.dumps(STACK))
    edit(content)
    return json.dumps(content)


def only(content: Json, type: str) -> Json:
    found: Json = next(iter(content["resource"][type].values()))
    return found


def service(**changes: Any) -> str:
    return edited(lambda content: only(content, "aws_ecs_service").update(changes))


def container(**changes: Any) -> str:
    def edit(content: Json) -> None:
        definition = only(content, "aws_ecs_task_definition")
        first, *others = json.loads(definition["container_definitions"])
        definition["container_definitions"] = json.dumps([{**first, **changes}, *others])

    return edited(edit)


def definitions(value: Any) -> str:
    return edited(lambda content: only(content, "aws_ecs_task_definition").update(container_definitions=value))


def named(name: Any) -> str:
    return edited(lambda content: content.setdefault("//", {}).update(metadata={"stackName": name}))


def region(name: Any) -> str:
    return edited(lambda content: content["provider"]["aws"][0].update(region=name))


def nested(depth: int) -> str:
    return edited(lambda content: only(content, "aws_ecs_service").update(deep="DEEP")).replace(
        '"DEEP"', "[" * depth + "]" * depth
    )


def cycle(content: Json) -> None:
    logs = content["resource"].setdefault("aws_cloudwatch_log_group", {})
    logs["a"] = {"name": "${aws_cloudwatch_log_group.b.id}"}
    logs["b"] = {"name": "${aws_cloudwatch_log_group.a.id}"}


def section(name: str, value: Any) -> str:
    return edited(lambda content: content.update({name: value}))


def check(*command: str, **settings: Any) -> str:
    return container(healthCheck={"command": list(command), **settings})


HOSTILE: Mapping[str, tuple[str, str]] = {
    "count 10^5": (service(desired_count=10**5), f"100000, and this machine has memory for {most_tasks()} tasks"),
    "count 2^63 - 1": (service(desired_count=2**63 - 1), "9223372036854775807, and this machine has memory for"),
    "count 2^63": (service(desired_count=2**63), "needs more than 64 bits"),
    "count negative": (service(desired_count=-1), "desired_count"),
    "count text": (service(desired_count="3"), 'desired_count is "3"'),
    "count true": (service(desired_count=True), "desired_count is true"),
    "count float": (service(desired_count=1.5), "desired_count is 1.5"),
    "count list": (service(desired_count=[3]), "desired_count is [3]"),
    "number of 5,000 digits": (service(desired_count="X").replace('"X"', "9" * 5000), "Exceeds the limit"),
    "NaN": (service(desired_count="X").replace('"X"', "NaN"), "no number of JSON"),
    "1e999": (service(desired_count="X").replace('"X"', "1e999"), "no number of JSON"),
    "nesting 200": (nested(200), "nested deeper than 100 levels"),
    "nesting 700": (nested(700), "nested deeper than 100 levels"),
    "nesting 100,000": (nested(100_000), "nested"),
    "service with a space": (service(name="my service"), 'name is "my service"'),
    "service with a path": (service(name="../../x"), 'name is "../../x"'),
    "service without a name": (service(name=None), "name is null"),
    "service name list": (service(name=["a"]), 'name is ["a"]'),
    "environment {}": (container(environment=[{}]), "environment.0.name is missing"),
    "environment without value": (container(environment=[{"name": "A"}]), "environment.0.value is missing"),
    "environment null value": (container(environment=[{"name": "A", "value": None}]), "environment.0.value is null"),
    "environment number": (container(environment=[{"name": "A", "value": 1}]), "environment.0.value is 1"),
    "environment no name": (container(environment=[{"name": "", "value": "1"}]), "environment.0.name is"),
    "environment name with =": (container(environment=[{"name": "A=B", "value": "1"}]), 'name is "A=B"'),
    "environment NUL": (container(environment=[{"name": "A", "value": "a\0b"}]), "has a NUL character"),
    "environment object": (container(environment={"A": "1"}), "environment is"),
    "containers list of lists": (definitions([[{"name": "a"}]]), "container_definitions.0 is"),
    "containers as text, list of lists": (definitions("[[]]"), "container_definitions.0 is []"),
    "containers number": (definitions(5), "container_definitions is 5"),
    "containers empty": (definitions("[]"), "container_definitions is []"),
    "containers deep": (definitions("[" * 200 + "]" * 200), "nested deeper than 100 levels"),
    "container name": (container(name="a b"), "container_definitions.0.name"),
    "container image": (container(image=["a"]), "image is"),
    "check CMD of nothing": (check("CMD", "no-such-program"), "runs no-such-program, which is not on this machine"),
    "check shell of nothing": (check("CMD-SHELL", "no-such-program -q || exit 1"), "runs no-such-program, which"),
    "check with a path": (check("CMD", "../../bin/no-such"), "runs ../../bin/no-such, which is not"),
    "check empty": (check(), "healthCheck.command is []"),
    "check text": (container(healthCheck={"command": "true"}), 'healthCheck.command is "true"'),
    "check interval": (check("CMD", "true", interval=1), "interval is 1"),
    "check interval text": (check("CMD", "true", interval="5"), 'interval is "5"'),
    "check timeout": (check("CMD", "true", timeout=10**9), "timeout is 1000000000"),
    "check retries": (check("CMD", "true", retries=0), "retries is 0"),
    "Region unknown": (region("eu-nowhere-7"), "eu-nowhere-7 is no Region"),
    "Region path": (region("../../x"), "needs the name of a region"),
    "Region spelling": (region("EU-WEST-2"), "needs the name of a region"),
    "Region list": (region(["eu-west-2"]), "needs the name of a region"),
    "Region number": (region(2), "needs the name of a region"),
    "stack name path": (named("../../../x"), "stackName is"),
    "stack name with slash": (named("a/b"), "stackName is"),
    "stack name NUL": (named("a\0b"), "NUL"),
    "stack name list": (named(["a"]), "stackName is"),
    "stack name object": (named({"a": 1}), "stackName is"),
    "stack name long": (named("a" * 129), "stackName is"),
    "cycle": (edited(cycle), "depend on each other in a circle"),
    "resource name path": (edited(lambda c: c["resource"]["aws_ecs_cluster"].update({"../x": {}})), "is no block"),
    "resource list": (edited(lambda c: c["resource"]["aws_ecs_cluster"].update(x=[1])), "is no block"),
    "depends_on number": (edited(lambda c: only(c, "aws_ecs_cluster").update(depends_on=5)), "is no block"),
    "resources": (
        edited(lambda c: c["resource"].update(aws_ecs_cluster={f"c{n}": {"name": f"c{n}"} for n in range(10**4)})),
        "resources, and the twin takes 2000",
    ),
    "output a number": (section("output", 5), "output is 5"),
    "output a text": (section("output", "x"), 'output is "x"'),
    "output a list": (section("output", [1, 2]), "output is [1, 2]"),
    "output of null": (section("output", {"a": None}), "output is null"),
    "output of a text": (section("output", {"a": "x"}), 'output is "x"'),
    "output without value": (section("output", {"a": {"sensitive": True}}), "output.value is missing"),
    "locals a number": (section("locals", 5), "locals is 5"),
    "locals a list": (section("locals", [1, 2]), "locals is [1, 2]"),
    "data a text": (section("data", "x"), 'data is "x"'),
    "data of a number": (section("data", {"aws_region": 5}), "data is 5"),
    "resource of a list": (edited(lambda c: c["resource"].update(aws_vpc=[1, 2])), "resource is [1, 2]"),
    "module a number": (section("module", 5), "module is 5"),
    "terraform a list": (section("terraform", [1, 2]), "terraform is [1, 2]"),
    "variable a text": (section("variable", "x"), 'variable is "x"'),
    "provider a number": (section("provider", 5), "provider is 5"),
    "surrogate in a name": (edited(lambda c: only(c, "aws_ecs_cluster").update(name="\ud800")), "surrogate"),
    "surrogate in an environment": (container(environment=[{"name": "A", "value": "\udc80"}]), "surrogate"),
    "byte order mark": ("\ufeff" + json.dumps(STACK), "is not JSON"),
    "two objects": ("{}{}", "is not JSON"),
    "trailing text": (json.dumps(STACK) + "x", "is not JSON"),
    "number": ("5", "holds no JSON object"),
    "list": ("[]", "holds no JSON object"),
    "empty": ("", "is not JSON"),
    "resource a list": ('{"resource": [1]}', "resource is 1"),
    "half": (json.dumps(STACK)[:500], "is not JSON"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_stack_that_cannot_be_run_is_refused_before_anything_starts(
    twin_cli: Command, tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twin.supervisor.Supervisor", None)  # nothing may come so far
    content, words = HOSTILE[case]
    synth, state = tmp_path / "cdk.tf.json", tmp_path / "a" / "state"
    synth.write_text(content)
    ports = ["--port", str(free_port()), "--aws-port", str(free_port())]

    ran = twin_cli("up", "--synth", str(synth), "--state", str(state), *ports)

    assert ran.code == 2
    assert ran.out == ""
    assert len(ran.err.splitlines()) == 1
    assert words in ran.err
    assert len(ran.err) < 600 + len(str(tmp_path))
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left <= {"cdk.tf.json", ".gitignore", "lock", "events.jsonl"}


@pytest.mark.parametrize("kind", ["pipe", "folder", "link to itself", "device"])
def test_what_is_no_file_keeps_nobody_waiting(twin_cli: Command, tmp_path: Path, kind: str) -> None:
    synth = tmp_path / "cdk.tf.json"
    match kind:
        case "pipe":
            os.mkfifo(synth)
        case "folder":
            synth.mkdir()
        case "device":
            synth.symlink_to("/dev/zero")
        case _:
            synth.symlink_to(synth)
    ports = ["--port", str(free_port()), "--aws-port", str(free_port())]

    ran = twin_cli("up", "--synth", str(synth), "--state", str(tmp_path / "state"), *ports)

    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert str(synth) in ran.err


REFUSED: Sequence[tuple[Json, str]] = (
    ({"name": ["a"]}, "aws_ecs_cluster"),
    ({"name": {"a": 1}}, "aws_ecs_cluster"),
    ({"setting": 5}, "aws_ecs_cluster"),
    ({"name": "a" * 5000}, "aws_ecs_cluster"),
    ({"name": "../../x"}, "aws_ecs_cluster"),
    ({"network_configuration": 5}, "aws_ecs_service"),
    ({"network_configuration": {"subnets": {"a": 1}}}, "aws_ecs_service"),
    ({"family": "../x"}, "aws_ecs_task_definition"),
    ({"family": 5.5}, "aws_ecs_task_definition"),
    ({"cpu": "many"}, "aws_ecs_task_definition"),
    ({"cidr_block": None}, "aws_subnet"),
    ({"cidr_block": ""}, "aws_subnet"),
    ({"cidr_block": "10.0.0.0/16\n"}, "aws_vpc"),
    ({"availability_zone": 5}, "aws_subnet"),
)


@pytest.mark.parametrize(("arguments", "type"), REFUSED, ids=str)
def test_what_the_endpoint_refuses_is_a_sentence(tmp_path: Path, empty_aws: Aws, arguments: Json, type: str) -> None:
    synth = tmp_path / "cdk.tf.json"
    synth.write_text(edited(lambda content: only(content, type).update(arguments)))
    stack = load_stack(synth)

    with pytest.raises(BadStack, match=type) as refused:
        deploy(stack, empty_aws)

    assert len(str(refused.value).splitlines()) == 1


# One that moto refuses, and one of the twin's own ECS.
@pytest.mark.parametrize(("arguments", "type"), [REFUSED[4], REFUSED[-1]], ids=str)
def test_what_the_endpoint_refuses_ends_the_start_too(tmp_path: Path, arguments: Json, type: str) -> None:
    synth, state = tmp_path / "cdk.tf.json", tmp_path / "state"
    synth.write_text(edited(lambda content: only(content, type).update(arguments)))
    words = ["up", "--synth", str(synth), "--state", str(state)]
    words += ["--port", str(free_port()), "--aws-port", str(free_port())]
    done = subprocess.run(twin_command(*words), cwd=PROJECT, capture_output=True, text=True, timeout=60)

    sentences = [line for line in done.stderr.splitlines() if line != "twin: going down"]
    assert done.returncode == 2, done.stderr
    assert len(sentences) == 1, done.stderr
    assert type in sentences[0]
    assert not list((tmp_path / "state").glob("tasks/*"))


def test_a_start_can_be_interrupted_however_large_the_stack_is(tmp_path: Path) -> None:
    synth, state = tmp_path / "cdk.tf.json", tmp_path / "state"
    many = {f"g{n}": {"name": f"g{n}"} for n in range(1900)}
    synth.write_text(
        edited(lambda content: content["resource"].setdefault("aws_cloudwatch_log_group", {}).update(many))
    )
    words = ["up", "--synth", str(synth), "--state", str(state)]
    words += ["--port", str(free_port()), "--aws-port", str(free_port())]
    started = subprocess.Popen(twin_command(*words), cwd=PROJECT, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: (state / "twin.json").exists(), "it has begun")
    started.send_signal(signal.SIGTERM)
    err = started.communicate(timeout=20)[1]

    assert started.returncode == 128 + signal.SIGTERM
    assert err.strip() in ("twin: Ended by SIGTERM before it served.", "twin: going down")
    assert not (state / "twin.json").exists()
