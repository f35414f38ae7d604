"""The container of docs/own-service.md that keeps a service from its SIGTERM."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from tests.command import Command
from tests.twin.running import PROJECT, STACK, TwinFactory

TEXT = (PROJECT / "docs/own-service.md").read_text()
WAITS_S = 6  # in place of 20; longer than the gateway uses its list
TOML = """
[programs.serviceconnect]
command = {command}
[programs."serviceconnect/drain"]
folder = "."
"""


def test_a_service_that_ends_at_once_loses_no_request_beside_it(
    start_twin: TwinFactory, lab: Command, tmp_path: Path
) -> None:
    (told,) = re.findall(r"^```json\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    drain = json.loads(told.replace("sleep 20", f"sleep {WAITS_S}"))
    stack = json.loads((STACK / "stacks/serviceconnect/cdk.tf.json").read_text())
    (definition,) = stack["resource"]["aws_ecs_task_definition"].values()
    (app,) = json.loads(definition["container_definitions"])
    assert drain["dependsOn"][0]["containerName"] == app["name"]
    app["environment"] = [each for each in app["environment"] if each["name"] != "DRAIN_SECONDS"]
    definition["container_definitions"] = json.dumps([app, drain])
    (tmp_path / "cdk.tf.json").write_text(json.dumps(stack))
    at_once = json.dumps(f"env DRAIN_SECONDS=0 {sys.executable} {PROJECT / 'examples/plain_service.py'}")
    (tmp_path / "twin.toml").write_text(TOML.format(command=at_once))
    twin = start_twin(synth=tmp_path / "cdk.tf.json", folder=tmp_path)
    options = ("--users", "4", "--rate", "50", "--duration", "30", "--no-wait", "--results", str(tmp_path / "results"))
    ran = lab("run", "stop-task", "--target", str(twin.state / "outputs.json"), *options)

    assert ran.code == 0, ran.err
    assert re.search(r"^None of [\d,]+ requests failed when a task was stopped", ran.out, re.MULTILINE), ran.out
    assert "still ran" not in ran.out
    (run,) = (tmp_path / "results").iterdir()
    (task,) = [each for each in json.loads((run / "run.json").read_text())["tasks"] if each["stopping_at"] is not None]
    assert set(task["exit_codes"]) == {"app", "drain"}
    assert task["execution_stopped_at"] - task["stopping_at"] > WAITS_S
