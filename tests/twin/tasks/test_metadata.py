from __future__ import annotations

import pytest

from tests.twin.aws.ecs.world import World
from twin.tasks.metadata import container_metadata, metadata, task_metadata


def test_a_task_is_found_by_the_runtime_id_of_its_container() -> None:
    world = World()
    world.start()
    world.advance()
    task = world.running[1]

    assert metadata(world.ecs, task.container.runtime_id) == container_metadata(task, task.container)
    assert metadata(world.ecs, f"{task.container.runtime_id}/task") == task_metadata(task)
    for path in ("none", f"{task.container.runtime_id}/stats"):
        with pytest.raises(LookupError):
            metadata(world.ecs, path)


def test_task_metadata_tell_what_the_application_asks() -> None:
    world = World()
    world.start()
    world.advance()
    task = world.running[0]

    told = task_metadata(task)

    assert (told["Cluster"], told["TaskARN"], told["AvailabilityZone"]) == (task.cluster.arn, task.arn, task.zone)
    assert (told["Family"], told["Revision"]) == ("shop", "1")
    assert told["Limits"] == {"CPU": 0.25, "Memory": 512}
    assert told["PullStartedAt"].endswith("Z")
    assert told["Containers"] == [container_metadata(task, task.container)]


def test_container_metadata_tell_the_private_address() -> None:
    world = World()
    world.start()
    world.advance()
    task = world.running[0]

    told = container_metadata(task, task.container)

    assert told["Networks"][0]["IPv4Addresses"] == [task.private_address]
    assert told["Labels"]["com.amazonaws.ecs.task-definition-family"] == "shop"
    assert (told["Name"], told["DockerId"]) == ("app", task.container.runtime_id)
