"""`twin init`: every task definition of a project in a twin.toml, whatever form the project has."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from tests.command import Command
from tests.twin.running import PROJECT, STACK
from twin.errors import BadInput
from twin.stack.project import TaskDefinition, task_definitions, twin_toml
from twin.tasks.programs import Programs

MAIN = """
variable "prefix" { default = "shop" }
variable "stage" {}
locals {
  services = {
    orders = { image = "registry/orders:1", port = 8080 }
    billing = { image = "registry/billing:1", port = 8081 }
  }
}
module "service" {
  for_each = local.services
  source   = "./modules/service"
  name     = "${var.prefix}-${each.key}-${var.stage}"
  image    = each.value.image
  port     = each.value.port
}
module "fetched" { source = "someone/worker/aws" }
resource "aws_ecs_task_definition" "off" {
  count  = 0
  family = "off"
}
resource "aws_ecs_task_definition" "computed" { family = random_pet.a.id }
"""
SERVICE = """
variable "name" {}
variable "image" {}
variable "port" {}
resource "aws_ecs_task_definition" "main" {
  family = var.name
  container_definitions = jsonencode([
    { name = "log", image = "fluent-bit", essential = false, command = ["sh", "-c", "tail"] },
    {
      name         = "app"
      image        = var.image
      portMappings = [{ containerPort = var.port }]
      environment  = [{ name = "DB", value = aws_db_instance.main.address }]
    },
  ])
}
"""
WORKER = 'resource "aws_ecs_task_definition" "this" {\n family = "worker"\n container_definitions = file("c.json")\n}\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Plain HCL with variables, a module of its own for each of two services, and one that Terraform has fetched."""
    monkeypatch.chdir(tmp_path)
    files = {
        "main.tf": MAIN,
        "terraform.tfvars": 'stage = "dev"\n',
        "modules/service/main.tf": SERVICE,
        ".terraform/modules/fetched/main.tf": WORKER,
        ".terraform/modules/modules.json": json.dumps(
            {"Modules": [{"Key": "fetched", "Source": "registry", "Dir": ".terraform/modules/fetched"}]}
        ),
        "src/orders/Dockerfile": 'FROM scratch\nCMD ["python", "-m", "orders"]\n',
        "src/billing/Dockerfile": "FROM scratch\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def uncommented(text: str) -> str:
    """*text* with the tables that are to be filled in."""
    return "\n".join(
        line.removeprefix("# ") if line.startswith(("# [", "# command", "# folder")) else line
        for line in text.split("\n")
    )


def test_plain_hcl_with_modules(project: Path) -> None:
    found = task_definitions(project)

    assert [(each.family, each.where) for each in found] == [
        (None, "aws_ecs_task_definition.computed in main.tf"),
        ("shop-orders-dev", "module.service.aws_ecs_task_definition.main in main.tf"),
        ("shop-billing-dev", "module.service.aws_ecs_task_definition.main in main.tf"),
        ("worker", "module.fetched.aws_ecs_task_definition.this in main.tf"),
    ]
    assert [[container["name"] for container in each.containers or []] for each in found] == [
        [],
        ["log", "app"],
        ["log", "app"],
        [],
    ]


def test_the_file_names_every_container_and_is_one_that_twin_up_reads(project: Path, twin_cli: Command) -> None:
    code, said, _ = twin_cli("init")

    assert (code, said) == (
        0,
        "twin.toml: 4 task definitions; Terraform computes the names of 1. Say what runs as each container.\n",
    )
    text = (project / "twin.toml").read_text()
    assert "# container app, image registry/billing:1, port 8081: module.service.aws_ecs_task_definition.main" in text
    assert '# folder = "."  # where it runs' in text
    assert "# aws_ecs_task_definition.computed in main.tf: Terraform computes its family." in text
    programs = Programs(file=project / "twin.toml")
    orders = programs.of("shop-orders-dev", "app", main=True)
    assert orders is not None
    assert (orders.command.words, orders.command.folder) == (["python", "-m", "orders"], project / "src/orders")
    log = programs.of("shop-orders-dev", "log", main=False)
    assert log is not None
    assert log.command.words == []  # its definition's own
    assert programs.unnamed(["shop-billing-dev", "worker"]) == ["worker"]
    assert list(tomllib.loads(uncommented(text))["programs"]) == [
        "shop-orders-dev/log",
        "shop-orders-dev",
        "shop-billing-dev/log",
        "shop-billing-dev",
        "worker",
    ]


def test_it_overwrites_nothing(project: Path, twin_cli: Command) -> None:
    (project / "twin.toml").write_text("# mine\n")

    assert twin_cli("init")[::2] == (
        2,
        "twin: twin.toml is there, and is not overwritten: move it away, or add to it.\n",
    )
    assert (project / "twin.toml").read_text() == "# mine\n"


def test_cdktf_s_output() -> None:
    for project in (STACK, STACK / "stacks/serviceconnect/cdk.tf.json"):
        (found,) = task_definitions(project)
        assert found.family == "serviceconnect"
        assert [container["name"] for container in found.containers or []] == ["app"]


def test_jsonencode_in_json_and_a_plan_and_a_state(tmp_path: Path) -> None:
    encoded = '${jsonencode([{"name" = "app", "image" = aws_ecr_repository.a.repository_url}])}'
    definition = {"family": "orders", "container_definitions": encoded}
    synthesized = {"resource": {"aws_ecs_task_definition": {"a": definition}}}
    known = {"family": "orders", "container_definitions": '[{"name": "app"}]'}
    resource = {"address": "a.b", "mode": "managed", "type": "aws_ecs_task_definition"}
    planned = {
        "root_module": {
            "resources": [{**resource, "values": {"family": "worker"}}, {**resource, "type": "aws_vpc", "values": {}}],
            "child_modules": [{"resources": [{**resource, "values": known}]}],
        }
    }
    for content in (synthesized, {"planned_values": planned}, {"values": planned}):
        file = tmp_path / "stack.json"
        file.write_text(json.dumps(content))
        found = {each.family: each.containers for each in task_definitions(file)}
        assert [container["name"] for container in found["orders"] or []] == ["app"]
        assert found.get("worker") is None


def test_two_containers_that_map_ports_are_named_each(tmp_path: Path) -> None:
    containers = [{"name": name, "portMappings": [{"containerPort": 80}]} for name in ("a", "b")]

    text = uncommented(twin_toml([TaskDefinition("x", "orders", [*containers])], tmp_path))

    assert list(tomllib.loads(text)["programs"]) == ["orders/a", "orders/b"]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("nothing", None, "has no \\*.tf and no cdktf.out"),
        ("main.tf", "a = [", "line"),
        ("plan.json", "{", "cannot be read as JSON"),
        ("plan.json", "{}", "neither resources nor a plan"),
    ],
)
def test_what_is_no_project_is_refused(name: str, text: str | None, says: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(BadInput, match=says):
        task_definitions(tmp_path / name if name.endswith(".json") else tmp_path)


def test_a_project_without_tasks_is_refused(tmp_path: Path, twin_cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "main.tf").write_text('resource "aws_vpc" "main" {}\n')
    monkeypatch.chdir(tmp_path)

    assert twin_cli("init")[::2] == (
        2,
        "twin: . has no aws_ecs_task_definition, so there is no program to name.\n",
    )
    assert not (tmp_path / "twin.toml").exists()


def test_a_broken_twin_toml_is_reported_with_its_line(
    tmp_path: Path, twin_cli: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "main.tf").write_text('resource "aws_ecs_task_definition" "app" {\n  family = "app"\n}\n')
    (tmp_path / "twin.toml").write_text("[programs.app]\n")
    monkeypatch.chdir(tmp_path)

    assert twin_cli("init").err == "twin: twin.toml is there, and is not overwritten: move it away, or add to it.\n"
    (tmp_path / "twin.toml").write_text("[programs.app]\ncommand = \n")
    refused = twin_cli("init")
    assert refused[::2] == (2, "twin: twin.toml is no TOML: Invalid value (at line 2, column 11). Correct it there.\n")
    assert (tmp_path / "twin.toml").read_text() == "[programs.app]\ncommand = \n"


def test_this_repository_s_own_stacks_are_read() -> None:
    (found,) = task_definitions(PROJECT / "tests/conformance/foreign")
    assert found.family == "orders"
