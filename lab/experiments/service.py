"""The ECS service under test, through the AWS API."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lab.errors import BadInput, Missing
from lab.experiments.aws import Aws
from lab.experiments.records import DeploymentRecord, EventRecord, TaskRecord
from lab.experiments.target import Target

__all__ = ["EcsService", "ServiceState"]

_PAGE = 100  # DescribeTasks takes no more
_POLL = 0.5  # seconds between questions whether the service is stable

# What DescribeTaskDefinition tells and RegisterTaskDefinition does not take.
_NOT_REGISTERED = (
    "taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities", "registeredAt", "registeredBy",
    "deregisteredAt", "deleteRequestedAt",
)  # fmt: skip


@dataclass(frozen=True)
class ServiceState:
    """A service as DescribeServices tells it."""

    desired: int
    running: int
    task_definition: str
    deployments: tuple[DeploymentRecord, ...]
    events: tuple[EventRecord, ...]

    @property
    def is_stable(self) -> bool:
        """Whether as many tasks run as are wanted, all of one deployment."""
        return self.running == self.desired and len(self.deployments) == 1

    @property
    def is_completed(self) -> bool:
        """Whether the deployment is completed too: then its tasks are healthy, and a later one can be rolled back."""
        return self.is_stable and self.deployments[0].rollout_state == "COMPLETED"


class EcsService:
    """The ECS service that *target* names.

    Every method raises Missing where AWS does not answer or takes no credentials, and BadInput where it refuses.
    """

    def __init__(self, target: Target, aws: Aws) -> None:
        self.target = target
        self._asking = aws.asking
        self._ecs = aws.client("ecs")
        self._name = f"the service {target.service_name} of cluster {target.cluster_name}"

    def state(self) -> ServiceState:
        """The service now.

        Raises:
            BadInput: there is no such service.
        """
        with self._asking():
            services = self._ecs.describe_services(
                cluster=self.target.cluster_name, services=[self.target.service_name]
            )["services"]
        if not services or services[0]["status"] != "ACTIVE":
            raise BadInput(f"{self._name} is not there: is it deployed, and is this its outputs file?")
        service = services[0]
        return ServiceState(
            desired=service["desiredCount"],
            running=service["runningCount"],
            task_definition=service["taskDefinition"],
            deployments=tuple(map(_deployment, service["deployments"])),
            events=tuple(EventRecord(e["createdAt"].timestamp(), e["message"]) for e in service["events"]),
        )

    def require_stable(self) -> ServiceState:
        """The service now, if it is stable and has tasks.

        Raises:
            BadInput: there is no such service, or it is not stable.
        """
        state = self.state()
        if state.running != state.desired:
            raise BadInput(f"{self._name} is not stable ({state.running} of {state.desired} tasks run): {_WAIT}")
        if not state.is_stable:
            raise BadInput(f"{self._name} is not stable ({_unfinished(state)}): {_WAIT}")
        if state.desired == 0:
            raise BadInput(f"{self._name} has a desired count of 0: scale it to one task or more.")
        return state

    def wait_until_stable(
        self, timeout: float, waiting: Callable[[], None] = lambda: None, *, completed: bool = False
    ) -> ServiceState:
        """The service once it is stable, or *completed*; *waiting* is called between the questions.

        Raises:
            Missing: it is not after *timeout* seconds.
        """
        deadline = time.monotonic() + timeout
        while not ((state := self.state()).is_stable and (state.is_completed or not completed)):
            if time.monotonic() > deadline:
                unfinished = f"{state.running} of {state.desired} tasks run, {_unfinished(state)}"
                raise Missing(f"{self._name} is not stable after {timeout:g} s ({unfinished}): see its events.")
            waiting()
            time.sleep(_POLL)
        return state

    def tasks(self) -> list[TaskRecord]:
        """All tasks of the service that ECS still tells of, stopped ones included, oldest first."""
        with self._asking():
            arns = [
                arn
                for status in ("RUNNING", "STOPPED")
                for page in self._ecs.get_paginator("list_tasks").paginate(
                    cluster=self.target.cluster_name, serviceName=self.target.service_name, desiredStatus=status
                )
                for arn in page["taskArns"]
            ]
            found = [
                task
                for start in range(0, len(arns), _PAGE)
                for task in self._ecs.describe_tasks(
                    cluster=self.target.cluster_name, tasks=arns[start : start + _PAGE]
                )["tasks"]
            ]
        return sorted(map(_task, found), key=lambda task: (task.created_at, task.arn))

    def stop_task(self, task: TaskRecord, reason: str) -> None:
        """Stop *task* as a person would."""
        with self._asking():
            self._ecs.stop_task(cluster=self.target.cluster_name, task=task.arn, reason=reason)

    def update(self, **changes: Any) -> None:
        """UpdateService, with its parameters in snake case: desired_count, task_definition."""
        with self._asking():
            self._ecs.update_service(
                cluster=self.target.cluster_name,
                service=self.target.service_name,
                **{_camel(name): value for name, value in changes.items()},
            )

    def new_revision(
        self, of: str, *, environment: Mapping[str, str] | None = None, container: Mapping[str, Any] | None = None
    ) -> str:
        """Register a revision of the task definition *of* (ARN) with changes to its first container; its ARN."""
        with self._asking():
            answer = self._ecs.describe_task_definition(taskDefinition=of, include=["TAGS"])
        definition = {name: v for name, v in answer["taskDefinition"].items() if name not in _NOT_REGISTERED}
        first, *others = definition["containerDefinitions"]
        variables = {entry["name"]: entry["value"] for entry in first.get("environment", [])}
        variables |= environment or {}
        changed = {
            **first,
            "environment": [{"name": name, "value": variables[name]} for name in sorted(variables)],
            **(container or {}),
        }
        tags = {"tags": answer["tags"]} if answer.get("tags") else {}
        with self._asking():
            registered = self._ecs.register_task_definition(
                **definition | {"containerDefinitions": [changed, *others]}, **tags
            )
        return str(registered["taskDefinition"]["taskDefinitionArn"])

    def container(self, task_definition: str) -> dict[str, Any]:
        """The first container of a task definition."""
        with self._asking():
            answer = self._ecs.describe_task_definition(taskDefinition=task_definition)
        return dict(answer["taskDefinition"]["containerDefinitions"][0])

    def discard(self, task_definition: str) -> None:
        """Make a revision inactive; tasks that run with it go on."""
        with self._asking():
            self._ecs.deregister_task_definition(taskDefinition=task_definition)

    def command(self, operation: str, **changes: Any) -> str:
        """What a person types to do an *operation* on the service, such as update-service, with the AWS CLI."""
        words = {"cluster": self.target.cluster_name, "service": self.target.service_name, **changes}
        return self._command(operation, words)

    def left_at(self, revision: str, before: str) -> str:
        """In words: the service may be left at *revision* (ARN); how it comes back to the one *before*."""
        back = self.command("update-service", task_definition=_short(before))
        return f"the service may still be at {_short(revision)}: put it back with `{back}`"

    def left_registered(self, revision: str) -> str:
        """In words: a *revision* (ARN) that nothing uses is left, and how it is made inactive."""
        discard = self._command("deregister-task-definition", {"task_definition": _short(revision)})
        return f"{_short(revision)} is still registered: `{discard}` makes it inactive"

    def _command(self, operation: str, options: Mapping[str, Any]) -> str:
        endpoint = {"endpoint-url": self.target.aws_endpoint_url} if self.target.is_twin else {}
        words = {**options, "region": self.target.region, **endpoint}
        given = (f"--{name.replace('_', '-')} {shlex.quote(str(value))}" for name, value in words.items())
        return " ".join(["aws", "ecs", operation, *given])


_WAIT = "wait until it is, `aws ecs wait services-stable` does."


def _unfinished(state: ServiceState) -> str:
    return ", ".join(f"deployment {d.status} {d.rollout_state}" for d in state.deployments)


def _short(arn: str) -> str:
    """Such as serviceconnect:2, of a task definition."""
    return arn.rsplit("/", 1)[-1]


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _task(task: dict[str, Any]) -> TaskRecord:
    details = {
        detail["name"]: detail["value"]
        for attachment in task.get("attachments", [])
        for detail in attachment.get("details", [])
    }
    return TaskRecord(
        arn=task["taskArn"],
        hostname=details.get("privateDnsName", ""),
        availability_zone=task.get("availabilityZone", ""),
        task_definition=task["taskDefinitionArn"],
        last_status=task["lastStatus"],
        desired_status=task["desiredStatus"],
        health=task.get("healthStatus", "UNKNOWN"),
        created_at=task["createdAt"].timestamp(),
        started_at=_seconds(task.get("startedAt")),
        stopping_at=_seconds(task.get("stoppingAt")),
        stopped_at=_seconds(task.get("stoppedAt")),
        stop_code=task.get("stopCode"),
        stopped_reason=task.get("stoppedReason"),
    )


def _deployment(deployment: dict[str, Any]) -> DeploymentRecord:
    return DeploymentRecord(
        id=deployment["id"],
        status=deployment["status"],
        task_definition=deployment["taskDefinition"],
        rollout_state=deployment.get("rolloutState", ""),
        rollout_reason=deployment.get("rolloutStateReason", ""),
        failed_tasks=deployment.get("failedTasks", 0),
        created_at=deployment["createdAt"].timestamp(),
        updated_at=deployment["updatedAt"].timestamp(),
    )


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None
