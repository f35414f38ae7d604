"""A stack of another shape than this project's, as JSON: no API, a load balancer alone, services with and without
Service Connect in two clusters and two namespaces, policy documents, functions, `count`, `for_each` and `dynamic`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.twin.running import RunningTwin, TwinFactory, wait_until
from twin.stack.project import task_definitions

Json = dict[str, Any]

SERVICE = """
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", str(len(os.environ["NAME"])))
        self.end_headers()
        self.wfile.write(os.environ["NAME"].encode())

http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""
WORKER = "import signal; print('works', flush=True); signal.pause()"
SUBNETS = "${aws_subnet.main[*].id}"


def definition(name: str, *, port: int | None) -> Json:
    mappings = f'[{{containerPort = {port}, name = "http", appProtocol = "http"}}]' if port else "[]"
    environment = f'[{{name = "NAME", value = upper("{name}")}}]'
    containers = f'[{{name = "app", image = "{name}:1", portMappings = {mappings}, environment = {environment}}}]'
    return {
        "family": name,
        "network_mode": "awsvpc",
        "requires_compatibilities": ["FARGATE"],
        "cpu": 256,
        "memory": 512,
        "execution_role_arn": "${aws_iam_role.execution.arn}",
        "container_definitions": f"${{jsonencode({containers})}}",
    }


def service(name: str, cluster: str, **more: Any) -> Json:
    return {
        "name": name,
        "cluster": f'${{aws_ecs_cluster.main["{cluster}"].arn}}',
        "task_definition": f"${{aws_ecs_task_definition.{name}.arn}}",
        "desired_count": 1,
        "launch_type": "FARGATE",
        "network_configuration": [{"subnets": SUBNETS}],
        **more,
    }


def connected(namespace: str, port: int) -> Json:
    entry = {"port_name": "http", "client_alias": [{"dns_name": namespace, "port": port}]}
    name = f"${{aws_service_discovery_http_namespace.{namespace}.arn}}"
    return {"service_connect_configuration": [{"enabled": True, "namespace": name, "service": [entry]}]}


def stack() -> Json:
    assume = {"type": "Service", "identifiers": ["ecs-tasks.amazonaws.com"]}
    resources = {
        "aws_vpc": {"main": {"cidr_block": "10.40.0.0/16"}},
        "aws_subnet": {
            "main": {
                "count": "${var.zones}",
                "vpc_id": "${aws_vpc.main.id}",
                "cidr_block": "${cidrsubnet(aws_vpc.main.cidr_block, 8, count.index)}",
                "availability_zone": "${data.aws_availability_zones.here.names[count.index]}",
            }
        },
        "aws_iam_role": {
            "execution": {
                "name": "execution-${data.aws_region.here.name}",
                "assume_role_policy": "${data.aws_iam_policy_document.assume.json}",
            }
        },
        "aws_service_discovery_http_namespace": {name: {"name": name} for name in ("orders", "billing")},
        "aws_ecs_cluster": {
            "main": {
                "for_each": "${local.clusters}",
                "name": "${each.key}",
                "dynamic": {
                    "setting": {
                        "for_each": "${each.value}",
                        "content": {"name": "${setting.key}", "value": "${setting.value}"},
                    }
                },
            }
        },
        "aws_ecs_task_definition": {
            "web": definition("web", port=8080),
            "orders": definition("orders", port=8081),
            "billing": definition("billing", port=8082),
            "worker": definition("worker", port=None),
        },
        "aws_lb": {"main": {"name": "main", "internal": True, "subnets": SUBNETS}},
        "aws_lb_target_group": {
            "web": {
                "name": "web",
                "port": 8080,
                "protocol": "HTTP",
                "target_type": "ip",
                "vpc_id": "${aws_vpc.main.id}",
                "health_check": [{"path": "/", "interval": 5, "timeout": 2, "healthy_threshold": 2}],
            }
        },
        "aws_lb_listener": {
            "main": {
                "load_balancer_arn": "${aws_lb.main.arn}",
                "port": 80,
                "protocol": "HTTP",
                "default_action": [{"type": "forward", "target_group_arn": "${aws_lb_target_group.web.arn}"}],
            }
        },
        "aws_ecs_service": {
            "web": service(
                "web",
                "one",
                load_balancer=[
                    {
                        "target_group_arn": "${aws_lb_target_group.web.arn}",
                        "container_name": "app",
                        "container_port": 8080,
                    }
                ],
                depends_on=["aws_lb_listener.main"],
            ),
            "orders": service("orders", "one", **connected("orders", 8081)),
            "billing": service("billing", "two", **connected("billing", 8082)),
            "worker": service("worker", "two"),
        },
    }
    return {
        "provider": {"aws": [{"region": "${var.region}"}]},
        "variable": {"region": {"default": "eu-west-2"}, "zones": {"type": "number", "default": 2}},
        "locals": {"clusters": {"one": {"containerInsights": "enabled"}, "two": {}}},
        "data": {
            "aws_region": {"here": {}},
            "aws_availability_zones": {"here": {"state": "available"}},
            "aws_iam_policy_document": {
                "assume": {"statement": [{"actions": ["sts:AssumeRole"], "principals": [assume]}]}
            },
        },
        "resource": resources,
        "output": {"dns_name": {"value": "${aws_lb.main.dns_name}"}},
    }


def write_programs(folder: Path) -> None:
    """A twin.toml for all of its families, and what runs by it."""
    (folder / "service.py").write_text(SERVICE)
    (folder / "worker.py").write_text(WORKER)
    programs = {name: "worker" if name == "worker" else "service" for name in ("web", "orders", "billing", "worker")}
    lines = (f'[programs.{name}]\ncommand = "{sys.executable} {file}.py"\n' for name, file in programs.items())
    (folder / "twin.toml").write_text("".join(lines))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes")
    (folder / "cdk.tf.json").write_text(json.dumps(stack()))
    write_programs(folder)
    return folder


@pytest.fixture(scope="module")
def twin(start_twin: TwinFactory, folder: Path) -> RunningTwin:
    return start_twin(synth=folder / "cdk.tf.json")


def test_twin_init_finds_all_of_it(folder: Path) -> None:
    found = {each.family: each.containers for each in task_definitions(folder / "cdk.tf.json")}

    assert found.keys() == {"web", "orders", "billing", "worker"}
    assert [container["name"] for container in found["web"] or []] == ["app"]


def test_the_load_balancer_serves(twin: RunningTwin) -> None:
    url = f"http://{twin.outputs()['dns_name']}/"

    def answer() -> str | None:
        got = httpx.get(url, trust_env=False, timeout=10)
        return got.text if got.status_code == 200 else None

    assert wait_until(answer, "the load balancer answers") == "WEB"


def test_all_services_of_both_clusters_run(twin: RunningTwin) -> None:
    ecs = twin.client("ecs")
    families = set()
    for cluster in ("one", "two"):
        tasks = ecs.describe_tasks(cluster=cluster, tasks=ecs.list_tasks(cluster=cluster)["taskArns"])["tasks"]
        families |= {(cluster, task["group"].removeprefix("service:"), task["lastStatus"]) for task in tasks}

    assert families == {
        ("one", "web", "RUNNING"),
        ("one", "orders", "RUNNING"),
        ("two", "billing", "RUNNING"),
        ("two", "worker", "RUNNING"),
    }


def test_dynamic_blocks_are_made(twin: RunningTwin) -> None:
    described = twin.client("ecs").describe_clusters(clusters=["one", "two"], include=["SETTINGS"])["clusters"]

    settings = {cluster["clusterName"]: cluster["settings"] for cluster in described}
    assert settings["one"] == [{"name": "containerInsights", "value": "enabled"}]
    assert settings["two"] == [{"name": "containerInsights", "value": "disabled"}]


def test_each_namespace_has_its_own_service(twin: RunningTwin) -> None:
    discover = twin.client("servicediscovery").discover_instances
    for name, other in (("orders", "billing"), ("billing", "orders")):
        (found,) = discover(NamespaceName=name, ServiceName="http")["Instances"]
        address = f"{found['Attributes']['AWS_INSTANCE_IPV4']}:{found['Attributes']['AWS_INSTANCE_PORT']}"
        assert httpx.get(f"http://{address}/", trust_env=False).text == name.upper()
        assert found["NamespaceName"] != other


def test_policies_and_functions_are_evaluated(twin: RunningTwin) -> None:
    role = twin.client("iam").get_role(RoleName="execution-eu-west-2")["Role"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    subnets = twin.client("ec2").describe_subnets(Filters=[{"Name": "cidr-block", "Values": ["10.40.*"]}])["Subnets"]

    assert statement == {
        "Action": "sts:AssumeRole",
        "Effect": "Allow",
        "Principal": {"Service": "ecs-tasks.amazonaws.com"},
    }
    assert {(s["CidrBlock"], s["AvailabilityZone"]) for s in subnets} == {
        ("10.40.0.0/24", "eu-west-2a"),
        ("10.40.1.0/24", "eu-west-2b"),
    }


def test_what_is_missing_is_told(twin: RunningTwin) -> None:
    assert httpx.get(twin.gateway_url, trust_env=False).status_code == 404
    assert [line for line in twin.run("ps", "--json").json["left_out"] if line.startswith("data.")] == []
