"""Deregister, wait, stop: a task leaves Cloud Map before it ends, so that clients have forgotten it by then.

ECS deregisters a task and stops it in one moment, while API Gateway goes on sending it requests until its cache expires
(containers-roadmap issues 1639, 576 and 473). Whoever stops a task by hand may wait in between.

Assumed, for no document says it: DeregisterInstance may be called on the service that ECS keeps in Cloud Map (the API
names no such limit), ECS does not register the task again, its instance has the task's id, and how long API Gateway
caches.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from lab.errors import BadInput, LabError, Missing
from lab.records.run import TaskRecord
from lab.runner.service import EcsService

WAIT: Mapping[bool, float] = {True: 10.0, False: 60.0}
"""Seconds between deregistration and stop: on a twin, which caches for 5 s, and on AWS, where it is assumed to be
enough."""

_DONE_WITHIN = 60.0  # seconds, for an operation of Cloud Map
_POLL = 0.2  # seconds


Registrations = Mapping[str, Mapping[str, str]]
"""By the id of a service in Cloud Map, the attributes of a task's instance there, whose id is the task's."""


class CloudMap:
    """Where ECS registers the tasks of *service*. Every method raises as EcsService's do."""

    def __init__(self, service: EcsService) -> None:
        self._asking = service.aws.asking
        self._client = service.aws.client("servicediscovery")
        self._service_ids = service.discovery_services()

    def registrations(self, task: TaskRecord) -> Registrations:
        """Of *task*, in all services of Cloud Map that ECS registers it in.

        Raises BadInput: there is none, or nothing else is registered, so that no request could be answered without it.
        """
        found = {}
        for service_id in self._service_ids:
            with self._asking():
                pages = self._client.get_paginator("list_instances").paginate(ServiceId=service_id)
                instances = {each["Id"]: each.get("Attributes", {}) for page in pages for each in page["Instances"]}
            if task.id not in instances:
                continue
            if len(instances) == 1:
                raise BadInput(
                    f"{task.host} (task {task.id}) is the only instance in Cloud Map ({service_id}), and nobody would "
                    "answer without it: scale the service out first."
                )
            found[service_id] = instances[task.id]
        if not found:
            raise BadInput(
                f"{task.host} (task {task.id}) is not in Cloud Map: name a task that runs in a service with Service "
                "Connect or service discovery; to stop one that clients do not find, `aws ecs stop-task` will do."
            )
        return found

    def deregister(self, task: TaskRecord, registrations: Registrations) -> None:
        """Take *task* out of Cloud Map, of all services or of none, and wait until that is done."""
        try:
            for service_id in registrations:
                with self._asking():
                    answer = self._client.deregister_instance(ServiceId=service_id, InstanceId=task.id)
                self._finish(answer["OperationId"])
        except BaseException:
            with contextlib.suppress(LabError):  # the first says why
                self.register(task, registrations)
            raise

    def register(self, task: TaskRecord, registrations: Registrations) -> None:
        """Put *task* back as it was, and wait until that is done."""
        for service_id, attributes in registrations.items():
            with self._asking():
                answer = self._client.register_instance(
                    ServiceId=service_id, InstanceId=task.id, Attributes=dict(attributes)
                )
            self._finish(answer["OperationId"])

    def _finish(self, operation_id: str) -> None:
        deadline = time.monotonic() + _DONE_WITHIN
        while True:
            with self._asking():
                operation = self._client.get_operation(OperationId=operation_id)["Operation"]
            if operation["Status"] == "SUCCESS":
                return
            if operation["Status"] == "FAIL" or time.monotonic() > deadline:
                why = operation.get("ErrorMessage") or f"not done within {_DONE_WITHIN:g} s"
                raise Missing(
                    f"Cloud Map's operation {operation_id} ({operation.get('Type', 'unknown')}) failed: {why}."
                )
            time.sleep(_POLL)


def named(tasks: Sequence[TaskRecord], name: str) -> TaskRecord:
    """The running task that is *name*: its id, the beginning of it, its ARN or its host name.

    Raises BadInput: none is, or more than one.
    """
    running = [task for task in tasks if task.is_running]
    wanted = name.rsplit("/", 1)[-1]
    found = [t for t in running if wanted and (t.id.startswith(wanted) or wanted in (t.host, t.hostname))]
    if len(found) != 1:
        what = f"begins {len(found)} tasks" if found else "is no running task"
        there = ", ".join(task.id for task in running) or "those that run, but none does"
        raise BadInput(f"{name!r} {what} of the service: give one of {there}.")
    return found[0]


def drain(service: EcsService, task: TaskRecord, wait: float, note: Callable[[str], None]) -> Registrations:
    """Take *task* out of Cloud Map, *wait* so many seconds, and stop it; where it was registered.

    Interrupted while it waits, or if ECS refuses to stop it, the task is registered again. *note* gets each step.
    """
    cloud_map = CloudMap(service)
    registrations = cloud_map.registrations(task)
    cloud_map.deregister(task, registrations)
    try:
        note(_out(task, wait))
        time.sleep(wait)
        service.stop_task(task, "Stopped by lab drain-task")
    except BaseException:
        try:
            cloud_map.register(task, registrations)
        except LabError as error:
            stop = service.command("stop-task", cluster=service.where["cluster"], task=task.id)
            left = f"{task.host} runs on out of Cloud Map: stop it with `{stop}`"
            raise Missing(f"{str(error).rstrip('.')}; {left}.") from None
        note(f"{task.host} is registered again, and runs on")
        raise
    note(f"stopped {task.host}; ECS starts another task for it")
    return registrations


class Draining:
    """*task* is out of Cloud Map from now on, and stopped *wait* seconds later, or at `end` if that is sooner."""

    def __init__(
        self, service: EcsService, task: TaskRecord, wait: float, reason: str, note: Callable[[str], None]
    ) -> None:
        self._service, self._task, self._reason, self._note = service, task, reason, note
        self._stopped = False
        cloud_map = CloudMap(service)
        cloud_map.deregister(task, cloud_map.registrations(task))
        note(_out(task, wait))
        self._timer = threading.Timer(wait, self._when_due)
        self._timer.daemon = True
        self._timer.start()

    def _when_due(self) -> None:
        with contextlib.suppress(LabError):  # `end` tries again, and raises it
            self._stop()

    def end(self) -> None:
        """Stop the task, if that has not happened. Raises LabError: it cannot be stopped."""
        self._timer.cancel()
        self._timer.join()
        if not self._stopped:
            self._stop()

    def _stop(self) -> None:
        self._service.stop_task(self._task, self._reason)
        self._stopped = True
        self._note(f"stopped {self._task.host}")


def _out(task: TaskRecord, wait: float) -> str:
    return f"{task.host} (task {task.id}) is out of Cloud Map; it is stopped in {wait:g} s"
