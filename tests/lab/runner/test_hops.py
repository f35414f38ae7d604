"""Experiments on either hop of two services: on the tasks that are called, by both ways to them, and on the caller's.

Real twins, with real load.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.experiments.study import Measured, read_measured
from lab.report.pages import run_page
from tests.command import Command
from tests.twin.running import PROJECT, RunningTwin, TwinFactory

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def services(start_twin: TwinFactory, stack_with: Callable[[str], Path]) -> RunningTwin:
    """A twin of examples/services whose tasks end at once."""
    return start_twin("--programs", str(PROJECT / "examples/services/twin.toml"), synth=stack_with("services"))


def run(lab: Command, twin: RunningTwin, results: Path, *arguments: str) -> Measured:
    """What `lab run` with these arguments measured."""
    where = ("--target", str(twin.state / "outputs.json"), "--results", str(results))
    done = lab("run", *arguments, *where, "--users", "4", "--rate", "40")
    assert done.code == 0, done.out + done.err
    (folder,) = results.iterdir()
    return read_measured(folder)


def test_the_called_tasks_by_both_ways(services: RunningTwin, lab: Command, tmp_path: Path) -> None:
    measured = run(lab, services, tmp_path, "stop-task", "--hop", "upstream", "--duration", "12")

    assert set(measured.runs) == {"direct", "client-proxy"}
    zones: list[dict[str, str]] = []
    for arm, found in measured.runs.items():
        assert measured.findings[arm].requests == found.meta["requests"] == sum(row.requests for row in found.hosts)
        assert sum(row.requests for row in found.timeline) == found.meta["requests"] > 100
        zones.append({row.hostname: row.availability_zone for row in found.hosts if row.hostname})
    # The same tasks, in their own zones, whoever was asked.
    assert zones[0] == zones[1]
    assert len(zones[0]) == 4
    stopped = measured.record.faults[0].hostnames[0]
    assert stopped in zones[0]
    page = run_page(measured)
    assert "through the client proxy of another service" in page.title
    assert "--hop upstream --target " in str(page.parts)


def test_the_callers_own_tasks(services: RunningTwin, lab: Command, tmp_path: Path) -> None:
    measured = run(lab, services, tmp_path, "stop-task", "--hop", "caller", "--duration", "12")

    (found,) = measured.runs.values()
    assert found.meta["settings"]["path_mix"] == "/call?service=serviceconnect&path=/hostname=1"
    assert sum(row.requests for row in found.hosts) == found.meta["requests"] > 200
    (fault,) = measured.record.faults
    hosts = {row.hostname for row in found.hosts if row.hostname}
    assert set(fault.hostnames) < hosts
    assert len(hosts) == 3  # two, and the one that took the place of the stopped one
    assert {task.arn for task in measured.record.tasks} >= {*fault.tasks}
    assert hosts == {task.hostname for task in measured.record.tasks}
    # Its two tasks are what Cloud Map was watched for.
    assert {len(change.instances or ()) for change in measured.record.discovery} == {1, 2}
    assert measured.findings["direct"].replacements
    assert "--hop caller --target " in str(run_page(measured).parts)
    assert "--path" not in str(run_page(measured).parts)


def test_a_hop_that_the_stack_does_not_have(services: RunningTwin, lab: Command) -> None:
    where = ("--target", str(services.state / "outputs.json"))
    code, _, err = lab("run", "stop-task", "--hop", "orders", *where)
    assert code == 2
    assert "--hop orders is no hop of the stack serviceconnect, which has gateway, upstream, caller" in err
