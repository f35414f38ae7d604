"""The ECS service under test: where it is (an outputs file), the AWS API, and who is in Cloud Map meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from lab.errors import BadInput, Missing
from lab.records.run import DeploymentRecord, Discovered, EventRecord, TaskRecord
from load.errors import LoadError
from load.target import read_outputs

__all__ = ["Aws", "EcsService", "ServiceState", "Target", "Watch", "read_target", "twin_credentials"]

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


_NEEDED = ("gateway_url", "region", "cluster_name", "service_name")


@dataclass(frozen=True)
class Target:
    """A deployed stack, by its outputs `file`.

    `aws_endpoint_url` is there where it is a twin, `comparison_url` where the same tasks have a load balancer too.
    """

    file: Path
    stack: str
    gateway_url: str
    region: str
    cluster_name: str
    service_name: str
    namespace_name: str | None = None
    discovery_name: str | None = None
    comparison_url: str | None = None
    aws_endpoint_url: str | None = None

    @property
    def is_twin(self) -> bool:
        """Whether it is on this machine, where more can be done to it than AWS's API offers."""
        return self.aws_endpoint_url is not None


def read_target(path: Path) -> Target:
    """The target that an outputs file names.

    Raises:
        BadInput: the file is absent or malformed, holds other than one stack, or lacks an output.
    """
    if not path.exists():
        raise BadInput(
            f"{path} is not there: start the twin with `twin up`, or deploy with `make deploy`, and name the outputs "
            "file with --target."
        )
    try:
        outputs = read_outputs(path, "--target")
    except LoadError as error:
        raise BadInput(str(error)) from None
    if missing := [name for name in _NEEDED if not getattr(outputs, name)]:
        raise BadInput(
            f"{path}: the stack {outputs.stack} has no output {', '.join(missing)}; is it this project's stack?"
        )
    return Target(
        file=path,
        stack=outputs.stack,
        gateway_url=outputs.gateway_url,
        region=outputs.region,
        cluster_name=outputs.cluster_name,
        service_name=outputs.service_name,
        namespace_name=outputs.namespace_name or None,
        discovery_name=outputs.discovery_name or None,
        comparison_url=outputs.comparison_url or None,
        aws_endpoint_url=outputs.aws_endpoint_url or None,
    )


# The credentials of a twin: in a file that its state folder names, or in the environment.

_STATE = Path(".twin")


@dataclass(frozen=True)
class TwinCredentials:
    """What signs calls to a twin's AWS endpoint, and the token for its control path."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(repr=False)


def twin_credentials(endpoint_url: str, outputs: Path) -> TwinCredentials:
    """Those of the twin at *endpoint_url*: by its state folder, where *outputs* are or the one here; or by `twin env`.

    Raises:
        Missing: they are in none of these.
    """
    for folder in (outputs.parent, _STATE):
        running = _read(folder / "twin.json")
        if running.get("aws_endpoint_url") == endpoint_url:
            found = _read(Path(str(running.get("credentials_file"))))
            names = ("access_key", "secret_key", "token")
            if all(isinstance(found.get(name), str) for name in names):
                return TwinCredentials(*(found[name] for name in names))
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if key and secret:
        return TwinCredentials(key, secret, os.environ.get("TWIN_TOKEN", ""))
    raise Missing(
        f"The credentials of the twin at {endpoint_url} are not found: is it up, and yours? Run "
        '`eval "$(twin env)"` in this terminal (with --state, where it has one of its own).'
    )


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


class Aws:
    """The AWS API of *target*'s Region, or of the twin that it is."""

    def __init__(self, target: Target) -> None:
        self._url = target.aws_endpoint_url
        self._where = self._url or f"AWS in {target.region}"
        keys = {}
        if self._url is not None:
            found = twin_credentials(self._url, target.file)
            keys = {"aws_access_key_id": found.access_key, "aws_secret_access_key": found.secret_key}
        self._session = boto3.session.Session(region_name=target.region, **keys)

    def client(self, service: str) -> Any:
        """boto3's client of *service*; safe to be used by several threads."""
        config = Config(
            retries={"total_max_attempts": 3, "mode": "standard"},
            connect_timeout=5,
            read_timeout=30,
            # Else DiscoverInstances looks for a host `data-<the twin's address>`.
            inject_host_prefix=self._url is None,
            # A twin is on this machine, where no proxy leads.
            proxies=None if self._url is None else {},
        )
        return self._session.client(service, endpoint_url=self._url, config=config)

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """Around calls of a client.

        Raises:
            Missing: AWS does not answer, or takes no credentials.
            BadInput: it refuses the request.
        """
        try:
            yield
        except NoCredentialsError:
            raise Missing(
                f"There are no credentials for {self._where}: set AWS_PROFILE, or log in with `aws sso login`."
            ) from None
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
            if code.startswith(("ExpiredToken", "InvalidClientToken", "UnrecognizedClient")):
                why = code if self._url is None else f"{code}: {message.rstrip('.')}"
                way_out = "log in again." if self._url is None else "was it started anew?"
                raise Missing(f"{self._where} takes no requests with these credentials ({why}): {way_out}") from None
            raise BadInput(f"{self._where} refuses {error.operation_name} ({code}): {message}") from None
        except BotoCoreError as error:
            raise Missing(f"{self._where} does not answer ({error}): is it up?") from None


_ON_THE_TWIN, _ON_AWS = 0.1, 1.0  # seconds between questions
_MOST = 1000  # DiscoverInstances gives no more


class Watch:
    """A context manager: `changes` has what DiscoverInstances told, one entry for each change."""

    def __init__(self, target: Target, aws: Aws) -> None:
        self.changes: list[Discovered] = []
        self._every = _ON_THE_TWIN if target.is_twin else _ON_AWS
        self._query = {"NamespaceName": target.namespace_name, "ServiceName": target.discovery_name}
        self._client: Any = aws.client("servicediscovery")
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="discovery", daemon=True)

    def __enter__(self) -> Self:
        if all(self._query.values()):
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(self._every):
            found = self._ask()
            if not self.changes or self.changes[-1].instances != found:
                self.changes.append(Discovered(time.time(), found))

    def _ask(self) -> tuple[str, ...] | None:
        try:
            answer = self._client.discover_instances(**self._query, MaxResults=_MOST, HealthStatus="ALL")
        except (BotoCoreError, ClientError):
            return None
        return tuple(sorted(instance["InstanceId"] for instance in answer["Instances"]))
