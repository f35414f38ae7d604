"""What tasks use of processor and memory: real processes, and shares in a time of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection

import pytest

from tests.twin.aws.ecs.world import World
from twin.aws.ecs.model import Task, TaskStatus
from twin.events import Events, Measured
from twin.tasks.usage import Usage, Used, used_by

MIB = 1024 * 1024
BUSY = """
import subprocess, sys, time
memory = bytearray(50 * 1024 * 1024)
deadline = time.process_time() + 0.3
while time.process_time() < deadline:
    pass
if sys.argv[1:]:
    subprocess.run([sys.executable, "-c", sys.argv[1]], check=True)
print("done", flush=True)
sys.stdin.read()
"""


def test_a_group_with_children_that_have_ended() -> None:
    child = "import time\nwhile time.process_time() < 0.3: pass"
    with subprocess.Popen(
        [sys.executable, "-c", BUSY, child],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        used = used_by({process.pid, 2**22 + 1})
        process.kill()

    assert used[2**22 + 1] == Used()
    assert used[process.pid].cpu >= (0.55 if sys.platform == "linux" else 0.25)  # macOS forgets children that ended
    assert used[process.pid].memory >= 50 * MIB


def test_another_group_is_not_counted() -> None:
    with subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as it:
        assert it.stdout is not None
        assert it.stdout.readline() == "done\n"
        used = used_by({os.getpgid(0)})[os.getpgid(0)].memory
        alone = used_by({os.getpgid(0)})
        it.kill()
    assert used > 50 * MIB
    assert alone.keys() == {os.getpgid(0)}


class Clock:
    """The time, and what each process group uses."""

    def __init__(self) -> None:
        self.now = 100.0
        self.used: dict[int, Used] = {}

    def look(self, groups: Collection[int]) -> dict[int, Used]:
        return {group: self.used.get(group, Used()) for group in groups}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def measured() -> list[Measured]:
    return []


@pytest.fixture
def usage(clock: Clock, measured: list[Measured]) -> Usage:
    events = Events()
    events.subscribe(Measured, measured.append)
    return Usage(events, clock.look, lambda: clock.now)


@pytest.fixture
def task() -> Task:
    """One of 256 CPU units, a quarter of a processor, and 512 MiB."""
    world = World()
    world.start()
    world.advance()
    (task, *_) = world.running
    task.steps["PENDING"] = 60.0
    return task


def values(measured: list[Measured]) -> list[tuple[str, float, float]]:
    return [(each.metric, round(each.value, 3), each.minutes) for each in measured]


def test_shares_of_what_the_definition_asks_for(
    usage: Usage, clock: Clock, task: Task, measured: list[Measured]
) -> None:
    clock.used = {1: Used(2.0, 64 * MIB)}
    usage.measure([(task, {1})], 60)  # 40 s after it has begun
    clock.now, clock.used = 160.0, {1: Used(7.0, 100 * MIB), 2: Used(2.5, 28 * MIB)}
    usage.measure([(task, {1, 2})], 60)

    assert values(measured) == [
        *(("CPUUtilization", 20.0, 1.0), ("MemoryUtilization", 12.5, 1.0)),
        *(("CPUUtilization", 50.0, 1.0), ("MemoryUtilization", 25.0, 1.0)),
    ]
    assert measured[0].dimensions == {"ClusterName": "shop", "ServiceName": "shop"}


def test_no_more_than_all_and_no_less_than_nothing(
    usage: Usage, clock: Clock, task: Task, measured: list[Measured]
) -> None:
    for cpu, memory in ((100.0, 1024 * MIB), (0.1, 0)):  # another process has begun
        clock.now, clock.used = clock.now + 5, {1: Used(cpu, memory)}
        usage.measure([(task, {1})], 5)

    assert [(each.metric, each.value) for each in measured] == [
        *(("CPUUtilization", 100.0), ("MemoryUtilization", 100.0)),
        *(("CPUUtilization", 0.0), ("MemoryUtilization", 0.0)),
    ]
    assert {each.minutes for each in measured} == {5 / 60}


def test_a_task_that_does_not_run_or_is_no_services_has_none(
    usage: Usage, clock: Clock, task: Task, measured: list[Measured]
) -> None:
    for _ in range(2):
        clock.now += 60
        task.last_status = TaskStatus.STOPPING
        usage.measure([(task, {1})], 60)
    task.last_status, task.service_name = TaskStatus.RUNNING, ""
    for _ in range(2):
        clock.now += 60
        usage.measure([(task, {1})], 60)
    assert measured == []


def test_metrics_are_there_before_the_first_sample(usage: Usage, task: Task, measured: list[Measured]) -> None:
    usage.expect(task)
    assert values(measured) == [("CPUUtilization", 0.0, 0.0), ("MemoryUtilization", 0.0, 0.0)]
