"""docs/reference/ecs.md tells of every operation and of every parameter of ECS."""

from __future__ import annotations

from dataclasses import fields

from tests.twin.running import PROJECT
from twin.aws.ecs import api
from twin.parameters import Parameters

GATEWAYS_OWN = {"balancing", "front_ends", "discovery_ttl", "connect_retries", "reuse_connections", "timeout_status"}


def test_the_document_names_every_operation_and_every_parameter() -> None:
    text = (PROJECT / "docs/reference/ecs.md").read_text()

    options = {f"--{field.name.replace('_', '-')}" for field in fields(Parameters) if field.name not in GATEWAYS_OWN}
    missing = {name for name in (*api.OPERATIONS, *options) if f"`{name}" not in text}
    assert missing == set()
