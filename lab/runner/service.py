"""The ECS service under test: the AWS API, the service, and who is in Cloud Map meanwhile."""

from __future__ import annotations

import contextlib
import re
import shlex
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from pydantic import ValidationError

from lab.errors import BadInput, LabError, Missing
from lab.experiments.catalogue import DIRECT, LOAD_BALANCER
from lab.records.run import DeploymentRecord, Discovered, EventRecord, TaskRecord
from lab.runner.target import Target, silence, twin_credentials

_POLL = {True: 0.1, False: 1.0}  # seconds between questions, on a twin and on AWS
_NO_CHECK = {"command": ["NONE"]}  # as ECS has it

# What DescribeTaskDefinition tells and RegisterTaskDefinition does not take.
_NOT_REGISTERED = (
    "taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities", "registeredAt", "registeredBy",
    "deregisteredAt", "deleteRequestedAt",
)  # fmt: skip


class Aws:
    """The AWS API of *target*'s Region, or of the twin that it is."""

    def __init__(self, target: Target) -> None:
        self._url, self._outputs = target.aws_endpoint_url or None, target.file
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

        Raises Missing: AWS does not answer, or takes no credentials. Raises BadInput: it refuses the request.
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
            told = f"{self._where} does not answer ({error}): is it up?"
            raise Missing(told if self._url is None else silence(self._where, error, self._outputs)) from None


@dataclass(frozen=True)
class ServiceState:
    """A service as DescribeServices tells it."""

    desired: int
    running: int
    new: int  # that run of the newest deployment, which ECS calls PRIMARY
    task_definition: str
    deployments: tuple[DeploymentRecord, ...]
    events: tuple[EventRecord, ...]

    @property
    def primary(self) -> DeploymentRecord:
        """The newest deployment."""
        return next(each for each in self.deployments if each.status == "PRIMARY")

    @property
    def is_stable(self) -> bool:
        """Whether as many tasks run as are wanted, all of one deployment, and none is to move to another zone."""
        return self.running == self.desired and len(self.deployments) == 1 and not self.is_rebalancing

    @property
    def is_rebalancing(self) -> bool:
        """Whether ECS evens out the Availability Zones, as the newest of its events on that says."""
        told = (event.message for event in self.events)
        newest = next((each for each in told if "AZ Rebalancing" in each or "is AZ balanced" in each), "")
        return newest.endswith("AZ Rebalancing in progress.")

    @property
    def is_completed(self) -> bool:
        """Whether the deployment is completed too: then its tasks are healthy, and a later one can be rolled back."""
        return self.is_stable and self.deployments[0].rollout_state == "COMPLETED"

    @property
    def unfinished(self) -> str:
        """How many tasks run, the deployments with how far they are, and whether tasks move to another zone."""
        several = f"{self.new} new and {self.running - self.new} old tasks run"
        tasks = several if len(self.deployments) > 1 else f"{self.running} of {self.desired} tasks run"
        moves = ["ECS evens out its zones"] if self.is_rebalancing else []
        is_over = len(self.deployments) > 1 and self.new == self.running == self.desired
        ends = ["ECS waits for the old tasks to end"] if is_over else []
        deployments = (f"deployment {d.status} {d.rollout_state}" for d in self.deployments)
        return ", ".join([tasks, *deployments, *ends, *moves])


def discovery_ids(service: Mapping[str, Any]) -> list[str]:
    """The ids of the Cloud Map services in which ECS registers tasks of *service*, as DescribeServices gives it."""
    arns = [
        *(each["discoveryArn"] for d in service["deployments"] for each in d.get("serviceConnectResources", [])),
        *(each["registryArn"] for each in service.get("serviceRegistries", [])),
    ]
    return list(dict.fromkeys(arn.rsplit("/", 1)[-1] for arn in arns))


class EcsService:
    """The ECS service that *target* names.

    Every method raises Missing where AWS does not answer or takes no credentials, and BadInput where it refuses.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.aws = Aws(target)
        self._ecs = self.aws.client("ecs")
        self._name = f"the service {target.service_name} of cluster {target.cluster_name}"
        self.where = {"cluster": target.cluster_name, "service": target.service_name}

    def _ask(self, operation: str, **parameters: Any) -> Any:
        with self.aws.asking():
            return getattr(self._ecs, operation)(**parameters)

    def _described(self) -> dict[str, Any]:
        cluster, service = self.where.values()
        found = self._ask("describe_services", cluster=cluster, services=[service])["services"]
        if not found or found[0]["status"] != "ACTIVE":
            raise BadInput(f"{self._name} is not there: is it deployed, and is this its outputs file?")
        return dict(found[0])

    def state(self) -> ServiceState:
        """The service now. Raises BadInput: there is no such service, or it is not told what is needed of it."""
        now = self._described()
        try:
            return ServiceState(
                desired=now["desiredCount"],
                running=now["runningCount"],
                new=sum(each.get("runningCount", 0) for each in now["deployments"] if each["status"] == "PRIMARY"),
                task_definition=now["taskDefinition"],
                deployments=tuple(map(_deployment, now["deployments"])),
                events=tuple(EventRecord(at=e["createdAt"].timestamp(), message=e["message"]) for e in now["events"]),
            )
        except (KeyError, ValidationError) as error:
            lacks = error.args[0] if isinstance(error, KeyError) else error.errors()[0]["loc"][0]
            raise BadInput(
                f"DescribeServices answers without {lacks} for {self._name}: the lab needs a service that ECS itself "
                "deploys."
            ) from None

    def require_stable(self) -> None:
        """Raises BadInput where there is no such service, or it is not stable, or has no tasks."""
        state = self.state()
        if not state.is_stable:
            raise BadInput(
                f"{self._name} is not stable ({state.unfinished}): wait until it is, `aws ecs wait services-stable` "
                "does."
            )
        if state.desired == 0:
            raise BadInput(f"{self._name} has a desired count of 0: scale it to one task or more.")

    def wait_until_stable(
        self, timeout: float, waiting: Callable[[str], None] = lambda _: None, *, completed: bool = False
    ) -> ServiceState:
        """The service once it is stable, or *completed*; *waiting* is called between the questions, with what it lacks.

        Raises Missing: it is not after *timeout* seconds, or its deployment has failed, after which nothing comes.
        """
        deadline = time.monotonic() + timeout
        while not ((state := self.state()).is_stable and (state.is_completed or not completed)):
            lacks = "; ".join(filter(None, (state.unfinished, self._why(state))))
            failed = state.primary.rollout_state == "FAILED"
            if failed or time.monotonic() > deadline:
                how = "does not become stable" if failed else f"is not stable after {timeout:g} s"
                more = "`twin ps` has what is known of why" if self.target.is_twin else "see its events"
                raise Missing(f"{self._name} {how} ({lacks}): {more}.")
            waiting(lacks)
            time.sleep(_POLL[self.target.is_twin])
        return state

    def _why(self, state: ServiceState) -> str:
        """What ECS tells of why *state* is not stable: of its newest deployment, or the last task of it that ended."""
        primary = state.primary
        if primary.rollout_state == "FAILED":
            return primary.rollout_reason.rstrip(".")
        told = [event.message for event in state.events if event.at >= primary.created_at]
        if told and " unable to place " in told[0]:  # of others the task says more
            return told[0].rstrip(".")
        ended = [
            (task.stopping_at or 0.0, reason, task.exit_codes)
            for task in self.tasks()
            if (reason := task.stopped_reason) and task.created_at >= primary.created_at
            if task.stop_code != "UserInitiated" and not reason.startswith("Scaling activity")
        ]
        if not ended:
            return ""
        _, reason, exit_codes = max(ended, key=itemgetter(0))
        codes = "".join(f", {name} with exit code {code}" for name, code in exit_codes.items())
        return f"the last task that ended: {reason.rstrip('.')}{codes}"

    def wait_until_healthy(self, timeout: float, waiting: Callable[[str], None], *, patient: bool) -> None:
        """Until ECS says of each task that runs that it is HEALTHY, where its container has a health check.

        Args:
            timeout: seconds at most.
            waiting: called between the questions, with how far the tasks are.
            patient: whether tasks of which all that were checked are UNHEALTHY are waited for too: ECS replaces them.

        Raises:
            Missing: they are not HEALTHY after *timeout* seconds, or none is and *patient* is not set.
        """
        if self.container().get("healthCheck", _NO_CHECK)["command"] == ["NONE"]:
            return
        deadline = time.monotonic() + timeout
        while True:
            running = [task for task in self.tasks() if task.is_running]
            healthy = sum(task.health == "HEALTHY" for task in running)
            failing = [task.host for task in running if task.health == "UNHEALTHY"]
            if healthy == len(running):
                return
            late = time.monotonic() > deadline
            if late or (failing and not healthy and not patient):
                told = f"UNHEALTHY are {', '.join(failing)}" if failing else "of the others ECS knows nothing yet"
                after = f" after {timeout:g} s" if late else ""
                where = "`twin ps` has the last output of the check" if self.target.is_twin else "see its events"
                raise Missing(
                    f"{healthy} of {len(running)} tasks of {self._name} are HEALTHY{after} ({told}): ECS replaces "
                    f"tasks whose health check fails, so nothing is measured; mend the check first ({where})."
                )
            waiting(f"{healthy} of {len(running)} are{f', {len(failing)} UNHEALTHY' if failing else ''}")
            time.sleep(_POLL[self.target.is_twin])

    def tasks(self) -> list[TaskRecord]:
        """All tasks of the service that ECS still tells of, stopped ones included, oldest first."""
        cluster, service = self.where.values()
        with self.aws.asking():
            found = [
                task
                for status in ("RUNNING", "STOPPED")
                # A page has 100 at most, which is what DescribeTasks takes.
                for page in self._ecs.get_paginator("list_tasks").paginate(
                    cluster=cluster, serviceName=service, desiredStatus=status
                )
                if (arns := page["taskArns"])
                for task in self._ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]
            ]
        return sorted(map(_task, found), key=lambda task: (task.created_at, task.arn))

    def stop_task(self, task: TaskRecord, reason: str) -> None:
        """Stop *task* as a person would."""
        self._ask("stop_task", cluster=self.where["cluster"], task=task.arn, reason=reason)

    def discovery_services(self) -> list[str]:
        """The ids of the Cloud Map services in which ECS registers tasks: Service Connect's, service discovery's."""
        return discovery_ids(self._described())

    def way(self) -> str:
        """The way by which the target's gateway_url leads to the tasks: DIRECT, or LOAD_BALANCER.

        As the integrations of its HTTP API say. Where that is another's to ask, or the URL is no API's, tasks that are
        in a target group are reached by it, unless the outputs name the Cloud Map service.
        """
        described = self._described()
        if not described.get("loadBalancers"):
            return DIRECT
        arns = self._integrations()
        if {arn.rsplit("/", 1)[-1] for arn in arns if ":servicediscovery:" in arn} & set(discovery_ids(described)):
            return DIRECT
        by_one = any(":elasticloadbalancing:" in arn for arn in arns)
        return LOAD_BALANCER if by_one or not self.target.discovery_name else DIRECT

    def _integrations(self) -> list[str]:
        """What the integrations of the HTTP API at the target's gateway_url lead to, as far as it can be asked."""
        client = self.aws.client("apigatewayv2")
        with contextlib.suppress(LabError), self.aws.asking():
            for page in client.get_paginator("get_apis").paginate():
                for api in page["Items"]:
                    if self.target.gateway_url.startswith(api["ApiEndpoint"]):
                        pages = client.get_paginator("get_integrations").paginate(ApiId=api["ApiId"])
                        found = [each.get("IntegrationUri", "") for own in pages for each in own["Items"]]
                        return [uri.partition("?")[0] for uri in found]
        return []

    def deregistration_delay(self) -> float:
        """Seconds for which target groups keep a task that is stopped from its SIGTERM: the longest of theirs, or 0."""
        groups = [
            each["targetGroupArn"] for each in self._described().get("loadBalancers", []) if "targetGroupArn" in each
        ]
        client, longest = self.aws.client("elbv2"), 0.0
        for group in groups:
            with self.aws.asking():
                attributes = client.describe_target_group_attributes(TargetGroupArn=group)["Attributes"]
            values = {attribute["Key"]: attribute["Value"] for attribute in attributes}
            longest = max(longest, float(values.get("deregistration_delay.timeout_seconds", 0)))
        return longest

    def update(self, **changes: Any) -> None:
        """UpdateService, with its parameters in snake case: desired_count, task_definition."""
        camel = {re.sub("_(.)", lambda match: match[1].upper(), name): value for name, value in changes.items()}
        self._ask("update_service", **self.where, **camel)

    def new_revision(
        self, of: str, *, environment: Mapping[str, str] | None = None, container: Mapping[str, Any] | None = None
    ) -> str:
        """Register a revision of the task definition *of* (ARN) with changes to its first container; its ARN."""
        answer = self._ask("describe_task_definition", taskDefinition=of, include=["TAGS"])
        definition = {name: v for name, v in answer["taskDefinition"].items() if name not in _NOT_REGISTERED}
        first, *others = definition["containerDefinitions"]
        variables = {entry["name"]: entry["value"] for entry in first.get("environment", [])} | dict(environment or {})
        changed = {
            **first,
            "environment": [{"name": name, "value": variables[name]} for name in sorted(variables)],
            **(container or {}),
        }
        tags = {"tags": answer["tags"]} if answer.get("tags") else {}
        definition["containerDefinitions"] = [changed, *others]
        registered = self._ask("register_task_definition", **definition, **tags)
        return str(registered["taskDefinition"]["taskDefinitionArn"])

    def container(self) -> dict[str, Any]:
        """The first container of the service's task definition."""
        answer = self._ask("describe_task_definition", taskDefinition=self.state().task_definition)
        return dict(answer["taskDefinition"]["containerDefinitions"][0])

    def discard(self, task_definition: str) -> None:
        """Make a revision inactive; tasks that run with it go on."""
        self._ask("deregister_task_definition", taskDefinition=task_definition)

    def command(self, operation: str, **options: Any) -> str:
        """What a person types to do an *operation* such as update-service on AWS, or the twin, with the AWS CLI."""
        endpoint = {"endpoint-url": self.target.aws_endpoint_url} if self.target.is_twin else {}
        words = {**options, "region": self.target.region, **endpoint}
        given = (f"--{name.replace('_', '-')} {shlex.quote(str(value))}" for name, value in words.items())
        return " ".join(["aws", "ecs", operation, *given])


def short(arn: str) -> str:
    """Such as serviceconnect:2, of a task definition."""
    return arn.rsplit("/", 1)[-1]


def _values(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What AWS's *answer* describes, as records have it: names in snake case, moments as seconds since the epoch."""
    return {
        re.sub("([A-Z])", r"_\1", name).lower(): value.timestamp() if isinstance(value, datetime) else value
        for name, value in answer.items()
    }


def _task(answer: Mapping[str, Any]) -> TaskRecord:
    details = {
        detail["name"]: detail["value"]
        for attachment in answer.get("attachments", [])
        for detail in attachment.get("details", [])
    }
    values = _values(answer)
    return TaskRecord(
        **{"execution_stopped_at": None, **values},  # set, so that it is known not to have happened
        arn=values["task_arn"],
        task_definition=values["task_definition_arn"],
        hostname=details.get("privateDnsName", ""),
        health=values.get("health_status", "UNKNOWN"),
        exit_codes={each["name"]: each["exitCode"] for each in answer.get("containers", []) if "exitCode" in each},
    )


def _deployment(answer: Mapping[str, Any]) -> DeploymentRecord:
    return DeploymentRecord(**_values(answer), rollout_reason=answer.get("rolloutStateReason", ""))


_MOST = 1000  # DiscoverInstances gives no more


class Watch:
    """A context manager: `changes` has what DiscoverInstances told, one entry for each change."""

    def __init__(self, target: Target, aws: Aws) -> None:
        self.changes: list[Discovered] = []
        self._every = _POLL[target.is_twin]
        self._query = {"NamespaceName": target.namespace_name, "ServiceName": target.discovery_name}
        self._client: Any = aws.client("servicediscovery")
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="discovery", daemon=True)

    def __enter__(self) -> Self:
        if all(self._query.values()):
            self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(self._every):
            found = self._ask()
            if not self.changes or self.changes[-1].instances != found:
                self.changes.append(Discovered(at=time.time(), instances=found))

    def _ask(self) -> tuple[str, ...] | None:
        try:
            answer = self._client.discover_instances(**self._query, MaxResults=_MOST, HealthStatus="ALL")
        except (BotoCoreError, ClientError):
            return None
        return tuple(sorted(instance["InstanceId"] for instance in answer["Instances"]))
