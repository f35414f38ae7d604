"""A twin on which something was deployed that wrote no outputs file: what is measured is asked of its AWS endpoint."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.errors import BadInput, Missing
from lab.runner.served import find_target
from lab.runner.target import Target
from tests.command import Command
from tests.twin.aws.ecs.test_service_discovery import Shop
from tests.twin.running import STARTS_WITHIN, TwinFactory, wait_until
from twin.machine.files import write_json


@pytest.fixture(scope="module")
def shop(start_twin: TwinFactory) -> Shop:
    """A twin that started empty, with a VPC, a namespace and a cluster."""
    twin = start_twin("--empty", "--proxy-drain", "0", wait=False)
    file = twin.state / "twin.json"
    wait_until(lambda: file.exists() and "aws_endpoint_url" in file.read_text(), "the endpoint is there", STARTS_WITHIN)
    return Shop(twin)


def target(shop: Shop) -> Path:
    return shop.twin.state / "outputs.json"


@pytest.mark.parametrize("command", [("run", "stop-task"), ("drain-task", "x")])
def test_a_url_is_no_outputs_file(command: tuple[str, ...], lab: Command) -> None:
    code, _, err = lab(*command, "--target", "http://127.0.0.1:8300")

    assert code == 2
    assert err.startswith(
        "lab: --target http://127.0.0.1:8300 is a URL, and --target takes an outputs file, which names"
    )


def test_where_nothing_is_deployed_it_is_said_what_to_do(shop: Shop, lab: Command, tmp_path: Path) -> None:
    code, _, err = lab("run", "stop-task", "--target", str(target(shop)), "--results", str(tmp_path))

    assert code == 2
    assert "has no HTTP API and no load balancer that leads to any service (ECS services: none): deploy one" in err
    assert "`make deploy` deploys this project's stack, not yours" in err


def test_the_one_service_that_an_api_leads_to_is_measured_once_it_is_stable(
    shop: Shop, lab: Command, tmp_path: Path
) -> None:
    shop.route(hostname=shop.orders["Arn"])
    shop.serve("orders", shop.orders)
    where = ("--target", str(target(shop)), "--results", str(tmp_path))
    code, out, err = lab("run", "baseline", "--duration", "4", *where)

    assert (code, err) == (0, "")
    first, *further = out.splitlines()
    url = shop.twin.gateway_url
    assert first == f"target: service shop/orders at {url} (the HTTP API shop), as the twin in {shop.twin.state} has it"
    # It may be stable by now.
    before = further[: next(at for at, line in enumerate(further) if line.startswith("load: "))]
    assert all(line.startswith("waiting until the service is stable, ") for line in before)
    (folder,) = tmp_path.iterdir()
    run = json.loads((folder / "run.json").read_text())
    assert (run["complete"], run["target"], run["failures"]) == (True, url, 0)
    assert len(run["discovery"][-1]["instances"]) == 2  # who is in Cloud Map is watched too

    task = run["discovery"][-1]["instances"][0]
    code, out, _ = lab("drain-task", task, "--wait", "0", "--target", str(target(shop)))
    assert code == 0
    assert out.startswith(first)


def test_one_of_several_services_is_chosen(shop: Shop, lab: Command) -> None:
    shop.route(hostname=shop.plain["Arn"])
    shop.serve("plain", shop.plain)

    code, _, err = lab("run", "stop-task", "--target", str(target(shop)))
    assert code == 2
    assert "serves 2 services: choose with --service shop/orders or --service shop/plain." in err

    said: list[str] = []
    for name in ("orders", "shop/orders"):
        found = find_target(target(shop), name, said.append)
        assert found == Target(
            file=target(shop), stack=str(shop.twin.state), gateway_url=shop.twin.gateway_url, region="eu-west-2",
            authorization="NONE", cluster_name="shop", service_name="orders", namespace_name="shop.internal",
            discovery_name="orders", aws_endpoint_url=shop.twin.aws_endpoint_url,
        )  # fmt: skip
    assert len(said) == 2
    with pytest.raises(BadInput, match=r"--service carts is no service of the twin in .*: it has shop/orders, shop/pl"):
        find_target(target(shop), "carts", said.append)


def test_of_several_ways_to_it_an_outputs_file_names_one(
    shop: Shop, lab: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.route(orders=f"{shop.orders['Arn']}?ECS_SERVICE_NAME=orders", none=f"{shop.orders['Arn']}?ECS_SERVICE_NAME=no")
    with pytest.raises(
        BadInput, match=r"is reached in 2 ways: http.*\(the HTTP API shop\), http.* Name one of them as"
    ):
        find_target(target(shop), "orders", print)

    monkeypatch.chdir(tmp_path)
    (tmp_path / ".twin").symlink_to(shop.twin.state)
    values = {
        "gateway_url": shop.twin.gateway_url, "region": "eu-west-2", "cluster_name": "shop", "service_name": "orders"
    }  # fmt: skip
    outputs = {name: {"sensitive": False, "type": "string", "value": value} for name, value in values.items()}
    (tmp_path / "outputs.json").write_text(json.dumps(outputs))
    code, out, err = lab("run", "baseline", "--duration", "4", "--target", "outputs.json")

    assert (code, err) == (0, "")
    assert "target:" not in out
    assert json.loads(next(tmp_path.glob("results/*/run.json")).read_text())["failures"] == 0


def test_an_api_that_leads_to_a_load_balancer_is_measured_as_that(shop: Shop, lab: Command, tmp_path: Path) -> None:
    elb, subnets = shop.twin.client("elbv2"), [shop.subnet, shop.further_subnet()]
    balancer = elb.create_load_balancer(Name="shop", Subnets=subnets, Scheme="internal", Type="application")
    group = elb.create_target_group(Name="shop", Protocol="HTTP", Port=8080, VpcId=shop.vpc, TargetType="ip")
    arn = group["TargetGroups"][0]["TargetGroupArn"]
    delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "3"}
    elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[delay])
    listener = elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancers"][0]["LoadBalancerArn"],
        Protocol="HTTP",
        Port=8081,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
    )["Listeners"][0]["ListenerArn"]
    shop.create("balanced", {}, loadBalancers=[{"targetGroupArn": arn, "containerName": "web", "containerPort": 8080}])
    shop.route(hostname=listener)
    where = ("--target", str(target(shop)), "--service", "balanced", "--results", str(tmp_path))
    code, out, err = lab("run", "stop-task", "--shortest", "--no-wait", "--users", "4", "--rate", "40", *where)

    assert (code, err) == (0, "")
    assert ", through a load balancer" in next(line for line in out.splitlines() if line.startswith("load: "))
    assert re.search(
        r"^None of [\d,]+ requests failed when a task was stopped, through the load balancer\.$", out, re.M
    )
    assert "list of tasks" not in out
    (folder,) = tmp_path.iterdir()
    run = json.loads((folder / "run.json").read_text())
    assert (run["experiment"]["arm"], run["experiment"]["task"]["deregistration_delay"]) == ("alb", 3)
    assert run["faults"][0]["discovery_age_s"] is None
    assert lab("table", str(folder)).out.splitlines()[1].strip() == "load balancer"


def test_a_service_is_asked_of_a_twin_alone(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"--service orders is for a twin, and .* is no state folder of one"):
        find_target(tmp_path / "outputs.json", "orders", print)


def test_a_twin_that_starts_is_waited_for(
    start_twin: TwinFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `twin up` writes its files: its pid a moment after its start, and what clients need when it serves."""
    serves = start_twin()
    description = json.loads((serves.state / "twin.json").read_text())
    said: list[str] = []

    def starts(seconds: float) -> None:
        if said:
            (tmp_path / "outputs.json").write_bytes((serves.state / "outputs.json").read_bytes())
        write_json(tmp_path / "twin.json", description if said else {"pid": serves.process.pid})

    monkeypatch.setattr("lab.runner.target.time", SimpleNamespace(monotonic=time.monotonic, sleep=starts))
    found = find_target(tmp_path / "outputs.json", None, said.append)
    assert found.aws_endpoint_url == description["aws_endpoint_url"]
    assert said == [f"waiting until the twin in {tmp_path} serves, 600 s at most"]


def test_a_twin_that_ends_while_it_is_waited_for(tmp_path: Path) -> None:
    """In order, when it takes its file away, or killed, when the file stays."""
    file = tmp_path / "twin.json"
    gone = subprocess.Popen(["true"])
    gone.wait()
    ends: list[Callable[[str], object]] = [
        lambda line: file.unlink(),
        lambda line: file.write_text(json.dumps({"pid": gone.pid})),
    ]
    for end in ends:
        file.write_text(json.dumps({"pid": os.getpid()}))
        with pytest.raises(Missing, match=f"^The twin in {tmp_path} ended before it served: what `twin up` printed"):
            find_target(tmp_path / "outputs.json", None, end)


def test_a_twin_that_does_not_come_up_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.runner.target._SERVES_WITHIN", 0.0)
    (tmp_path / "twin.json").write_text(json.dumps({"pid": os.getpid()}))
    with pytest.raises(Missing, match="does not serve within 0 s: see `twin events`"):
        find_target(tmp_path / "outputs.json", None, print)
