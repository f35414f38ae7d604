"""Deployments of real tasks, as boto3 sees them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.twin.running import RunningTwin, TwinFactory, wait_until

CLUSTER = SERVICE = "serviceconnect"
NAMES = {"cluster": CLUSTER, "service": SERVICE}
FAULTY = Path(__file__).with_name("faulty.py")


@pytest.fixture(scope="module")
def twin(start_twin: TwinFactory) -> RunningTwin:
    return start_twin("--command", f"{sys.executable} {FAULTY}", "--proxy-drain", "2", "--discovery-ttl", "0")


@pytest.fixture(scope="module")
def ecs(twin: RunningTwin) -> Any:
    return twin.client("ecs")


def service(ecs: Any) -> Any:
    return ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]


def complete(ecs: Any) -> bool:
    deployments = service(ecs)["deployments"]
    return [each["rolloutState"] for each in deployments] == ["COMPLETED"]


def revision(ecs: Any, *others: dict[str, Any], **environment: str) -> str:
    """A revision of the service's task definition with these containers beside the main one, and these variables."""
    definition = ecs.describe_task_definition(taskDefinition=service(ecs)["taskDefinition"])["taskDefinition"]
    named = ("family", "networkMode", "requiresCompatibilities", "cpu", "memory")
    container = definition["containerDefinitions"][0]
    kept = [pair for pair in container["environment"] if pair["name"] != "FAULT"]
    variables = [*kept, *({"name": name, "value": value} for name, value in environment.items())]
    new = ecs.register_task_definition(
        containerDefinitions=[{**container, "environment": variables}, *others],
        **{name: definition[name] for name in named},
    )
    return str(new["taskDefinition"]["taskDefinitionArn"])


def breaker(value: int) -> dict[str, Any]:
    """A circuit breaker that opens after so many failed tasks, and rolls back."""
    threshold = {"type": "COUNT", "value": value}
    return {"deploymentCircuitBreaker": {"enable": True, "rollback": True, "thresholdConfiguration": threshold}}


def events(ecs: Any) -> list[str]:
    return [event["message"] for event in service(ecs)["events"]]


def test_a_deployment_is_complete_when_the_last_old_task_has_stopped_and_listed_until_then(ecs: Any) -> None:
    wait_until(lambda: complete(ecs), "the first deployment is complete", 60)
    old = {task.rpartition("/")[2] for task in ecs.list_tasks(cluster=CLUSTER)["taskArns"]}
    new = revision(ecs)
    ecs.update_service(**NAMES, taskDefinition=new)
    seen: list[tuple[list[str], str, int]] = []

    def over() -> bool:
        # The state first: what has stopped by the second look had stopped, or was stopping, at the first.
        deployments = service(ecs)["deployments"]
        tasks = ecs.describe_tasks(cluster=CLUSTER, tasks=list(old))["tasks"]
        alive = sum(task["lastStatus"] != "STOPPED" for task in tasks)
        seen.append(([each["status"] for each in deployments], deployments[0]["rolloutState"], alive))
        return bool(deployments[0]["rolloutState"] == "COMPLETED")

    wait_until(over, "the deployment is complete", 90)
    assert seen[-1] == (["PRIMARY"], "COMPLETED", 0)
    assert all(statuses == ["PRIMARY", "ACTIVE"] for statuses, _, alive in seen if alive)
    assert any(alive for _, _, alive in seen)


def test_the_current_service_deployment_leads_to_the_revisions_that_have_tasks(ecs: Any) -> None:
    wait_until(lambda: complete(ecs), "what was before is complete", 90)
    (before,) = service(ecs)["currentServiceRevisions"]
    updated = ecs.update_service(**NAMES, forceNewDeployment=True)["service"]
    new, old = updated["currentServiceRevisions"]

    (current,) = ecs.describe_service_deployments(serviceDeploymentArns=[updated["currentServiceDeployment"]])[
        "serviceDeployments"
    ]
    assert current["targetServiceRevision"]["arn"] == new["arn"]
    assert [source["arn"] for source in current["sourceServiceRevisions"]] == [old["arn"]] == [before["arn"]]
    assert (new["requestedTaskCount"], old["requestedTaskCount"], old["runningTaskCount"]) == (3, 0, 3)
    revisions = ecs.describe_service_revisions(serviceRevisionArns=[new["arn"], old["arn"]])["serviceRevisions"]
    assert {each["taskDefinition"] for each in revisions} == {updated["taskDefinition"]}

    wait_until(lambda: complete(ecs), "it is complete", 90)
    assert service(ecs)["currentServiceDeployment"] == updated["currentServiceDeployment"]
    (left,) = service(ecs)["currentServiceRevisions"]
    assert (left["arn"], left["runningTaskCount"]) == (new["arn"], 3)


def test_a_container_without_a_program_is_running_with_its_task_and_says_why(ecs: Any, twin: RunningTwin) -> None:
    wait_until(lambda: complete(ecs), "what was before is complete", 90)
    side = {"name": "side", "image": "side:1", "essential": False}
    ecs.update_service(**NAMES, taskDefinition=revision(ecs, side))
    wait_until(lambda: complete(ecs), "it is complete", 90)

    for task in twin.tasks():
        assert task["lastStatus"] == "RUNNING"
        containers = {each["name"]: (each["lastStatus"], each.get("reason")) for each in task["containers"]}
        assert containers.pop("side") == ("RUNNING", "This container is not run by the twin.")
        assert list(containers.values()) == [("RUNNING", None)]


def test_tasks_that_exit_before_they_run_open_the_circuit(ecs: Any) -> None:
    wait_until(lambda: complete(ecs), "what was before is complete", 90)
    good = service(ecs)["taskDefinition"]
    ecs.update_service(**NAMES, taskDefinition=revision(ecs, FAULT="exit"), deploymentConfiguration=breaker(2))

    wait_until(lambda: service(ecs)["taskDefinition"] == good, "it is rolled back", 60)
    (newest, *_) = ecs.list_service_deployments(**NAMES)["serviceDeployments"]
    (told,) = ecs.describe_service_deployments(serviceDeploymentArns=[newest["serviceDeploymentArn"]])[
        "serviceDeployments"
    ]
    assert told["status"].startswith("ROLLBACK_")
    assert told["deploymentCircuitBreaker"]["status"] == "TRIGGERED"
    assert told["deploymentCircuitBreaker"]["threshold"] == 2
    assert any("deployment failed: tasks failed to start" in message for message in events(ecs))


def test_tasks_that_run_and_exit_are_replaced_and_open_no_circuit(ecs: Any, twin: RunningTwin) -> None:
    wait_until(lambda: complete(ecs), "what was before is complete", 90)
    good = service(ecs)["taskDefinition"]
    bad = revision(ecs, FAULT="exit-later")
    ecs.update_service(**NAMES, taskDefinition=bad, deploymentConfiguration=breaker(1))

    def exited() -> list[Any]:
        return [task for task in twin.tasks("STOPPED") if task["taskDefinitionArn"] == bad]

    wait_until(lambda: len(exited()) >= 2, "two of its tasks have run and exited", 90)
    assert {task["containers"][0]["exitCode"] for task in exited()} == {4}
    assert service(ecs)["taskDefinition"] == bad
    assert service(ecs)["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    ecs.update_service(**NAMES, taskDefinition=good)


@pytest.mark.parametrize(
    ("percents", "message"),
    [
        ({"minimumHealthyPercent": 100, "maximumPercent": 100}, "100"),
        ({"minimumHealthyPercent": 101, "maximumPercent": 200}, "inimum"),
        ({"minimumHealthyPercent": 0, "maximumPercent": 99}, "aximum"),
    ],
)
def test_percents_that_ecs_refuses(ecs: Any, percents: dict[str, int], message: str) -> None:
    with pytest.raises(ClientError, match=message) as refused:
        ecs.update_service(**NAMES, deploymentConfiguration=percents)
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"


def test_percents_that_leave_no_room_are_an_event_and_three_hundred_makes_room(ecs: Any) -> None:
    wait_until(lambda: complete(ecs), "what was before is complete", 120)
    stuck = {"minimumHealthyPercent": 100, "maximumPercent": 133}
    ecs.update_service(**NAMES, deploymentConfiguration=stuck, forceNewDeployment=True)
    said = "was unable to stop or start tasks during a deployment because of the service deployment configuration"
    wait_until(lambda: any(said in message for message in events(ecs)), "an event says so", 20)

    roomy = {"minimumHealthyPercent": 100, "maximumPercent": 300}
    ecs.update_service(**NAMES, deploymentConfiguration=roomy)
    wait_until(lambda: complete(ecs), "it is complete", 90)
