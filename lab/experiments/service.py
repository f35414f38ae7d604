"""The service under test through the AWS API: the same calls to AWS and to the twin."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from lab.errors import BadInput, Missing
from lab.experiments.target import Target

__all__ = ["EcsService", "TaskRecord"]

_PAGE = 100  # DescribeTasks takes no more


@dataclass(frozen=True)
class TaskRecord:
    """A task as DescribeTasks tells it; times in seconds since the Unix epoch, None where it has not come so far."""

    arn: str
    hostname: str
    availability_zone: str
    last_status: str
    desired_status: str
    created_at: float
    started_at: float | None
    stopping_at: float | None
    stopped_at: float | None
    stop_code: str | None
    stopped_reason: str | None

    @property
    def id(self) -> str:
        return self.arn.rsplit("/", 1)[-1]


class EcsService:
    """The ECS service that *target* names.

    Every method raises Missing where AWS does not answer or takes no credentials, and BadInput where
    it refuses the request.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        session = boto3.session.Session(region_name=target.region, **_credentials(target))
        config = Config(retries={"total_max_attempts": 3, "mode": "standard"}, connect_timeout=5, read_timeout=30)
        self._ecs: Any = session.client("ecs", endpoint_url=target.aws_endpoint_url, config=config)

    def require_stable(self) -> int:
        """The desired count, if so many tasks run and no deployment is under way.

        Raises:
            BadInput: there is no such service, or it is not stable.
        """
        with self._asking():
            services = self._ecs.describe_services(
                cluster=self.target.cluster_name, services=[self.target.service_name]
            )["services"]
        name = f"the service {self.target.service_name} of cluster {self.target.cluster_name}"
        if not services or services[0]["status"] != "ACTIVE":
            raise BadInput(f"{name} is not there: is it deployed, and is this its outputs file?")
        desired, running = services[0]["desiredCount"], services[0]["runningCount"]
        if running != desired:
            raise BadInput(f"{name} is not stable ({running} of {desired} tasks run): wait until it is.")
        if desired == 0:
            raise BadInput(f"{name} has a desired count of 0: scale it to one task or more.")
        return int(desired)

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
        return sorted(map(_record, found), key=lambda task: (task.created_at, task.arn))

    def stop_task(self, task: TaskRecord, reason: str) -> None:
        """Stop *task* as a person would."""
        with self._asking():
            self._ecs.stop_task(cluster=self.target.cluster_name, task=task.arn, reason=reason)

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        where = self.target.aws_endpoint_url or f"AWS in {self.target.region}"
        try:
            yield
        except NoCredentialsError:
            raise Missing(
                f"There are no credentials for {where}: set AWS_PROFILE, or log in with `aws sso login`."
            ) from None
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
            if code.startswith(("ExpiredToken", "InvalidClientToken", "UnrecognizedClient")):
                raise Missing(f"{where} takes no requests with these credentials ({code}): log in again.") from None
            raise BadInput(f"{where} refuses {error.operation_name} ({code}): {message}") from None
        except BotoCoreError as error:
            raise Missing(f"{where} does not answer ({error}): is it up?") from None


def _credentials(target: Target) -> dict[str, str]:
    """A twin takes any credentials, so none need to be configured for it; AWS gets those of the environment."""
    on_loopback = urlsplit(target.aws_endpoint_url or "").hostname in ("127.0.0.1", "::1", "localhost")
    if on_loopback and "AWS_ACCESS_KEY_ID" not in os.environ:
        return {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return {}


def _record(task: dict[str, Any]) -> TaskRecord:
    details = {
        detail["name"]: detail["value"]
        for attachment in task.get("attachments", [])
        for detail in attachment.get("details", [])
    }
    return TaskRecord(
        arn=task["taskArn"],
        hostname=details.get("privateDnsName", ""),
        availability_zone=task.get("availabilityZone", ""),
        last_status=task["lastStatus"],
        desired_status=task["desiredStatus"],
        created_at=task["createdAt"].timestamp(),
        started_at=_seconds(task.get("startedAt")),
        stopping_at=_seconds(task.get("stoppingAt")),
        stopped_at=_seconds(task.get("stoppedAt")),
        stop_code=task.get("stopCode"),
        stopped_reason=task.get("stoppedReason"),
    )


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None
