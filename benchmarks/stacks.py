"""Stacks as figures need them: what `make synth` and `make synth-services` wrote, with some numbers changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.processes import ROOT, Failed

__all__ = ["SERVICES", "STACK", "unthrottled", "with_tasks"]

STACK = ROOT / "cdktf.out"
SERVICES = STACK / "services"


def _read(folder: Path) -> dict[str, Any]:
    found = [*folder.glob("stacks/*/cdk.tf.json")]
    if len(found) != 1:
        raise Failed(f"{folder} holds no stack: run `make synth synth-services`.")
    stack: dict[str, Any] = json.loads(found[0].read_text())
    return stack


def with_tasks(count: int, file: Path) -> Path:
    """The stack with so many tasks, written to *file*."""
    stack = _read(STACK)
    for service in stack["resource"]["aws_ecs_service"].values():
        service["desired_count"] = count
    file.write_text(json.dumps(stack))
    return file


def unthrottled(file: Path) -> Path:
    """The two services, throttled at what AWS allows an account and no lower, written to *file*."""
    stack = _read(SERVICES)
    for stage in stack["resource"]["aws_apigatewayv2_stage"].values():
        for settings in (stage.get("default_route_settings"), *(stage.get("route_settings") or ())):
            if settings:
                settings |= {"throttling_rate_limit": 10_000, "throttling_burst_limit": 5_000}
    file.write_text(json.dumps(stack))
    return file
