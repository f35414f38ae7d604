"""`twin up --reload`: a rolling deployment of the services whose program has changed.

Files are looked at once a second: at a source tree's size that takes milliseconds, works on every file system (a
container's mounts too), and needs no library.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from twin.aws.ecs import api
from twin.aws.ecs.context import Context
from twin.aws.ecs.model import Deployment, Service, Task, TaskStatus
from twin.errors import BadInput
from twin.events import news
from twin.tasks.programs import Program, Programs

__all__ = ["changed_files", "reloading", "snapshot"]

_POLL = 1.0  # seconds
_MOST = 20_000  # files of a folder
# Terraform's files are no program, whatever a pattern says: `twin env --terraform` and Terraform itself write such.
_TERRAFORM = ("*.tf", "*.tf.json", "*.tfvars", "*.tfvars.json", "*.tfstate", "*.tfstate.*", "*.tfplan")
# Nor is Locust's, which is edited beside a service while it is under load.
_NO_PROGRAM = (*_TERRAFORM, "locustfile*.py")
# Folders that tools make; hidden ones and virtual environments are left out as well.
_MADE = {"__pycache__", "node_modules", "cdktf.out", "results", "target", "dist", "build"}

_TABLE = "its table in the twin.toml"

Snapshot = Mapping[str, object]


@dataclass(frozen=True)
class _Rollout:
    """A deployment that a change has set off, *at* that time by the controller's clock."""

    service: Service
    deployment: Deployment
    at: float


async def reloading(programs: Programs, context: Context, *, poll: float = _POLL) -> None:
    """Watch *programs* and their files without end; a change waits until none follows for *poll* seconds.

    Services that run one are updated as `aws ecs update-service --force-new-deployment` does it, and it is said when
    their former tasks get no request any more.
    """
    before: Mapping[str, Snapshot] | None = None
    changed: dict[str, list[str]] = {}
    changed_at = 0.0
    rollouts: list[_Rollout] = []
    while True:
        try:
            watched = programs.watched()
        except BadInput:  # its file is no TOML while it is written; the tasks' surroundings warn of it
            await asyncio.sleep(poll)
            continue
        now = {
            key: {**await asyncio.to_thread(snapshot, each, programs.file), _TABLE: each}
            for key, each in watched.items()
        }
        known = now if before is None else before
        fresh = {
            key: changed_files(known.get(key, {}), now[key]) if key in known else [_TABLE]
            for key in now
            if known.get(key) != now[key]
        }
        before = now
        if not fresh and changed:
            services = _redeploy(context, now.keys(), changed)
            rollouts += [_Rollout(service, service.primary, changed_at) for service in services]
            changed = {}
        for key, files in fresh.items():
            changed[key] = sorted({*changed.get(key, []), *files})
            changed_at = context.controller.clock()
        if not changed:  # else what is deployed is new no more
            rollouts = [each for each in rollouts if not _is_over(context, each)]
        await asyncio.sleep(poll)


def _redeploy(context: Context, keys: Iterable[str], changed: Mapping[str, Sequence[str]]) -> list[Service]:
    """A new deployment of the services that run what has *changed*, and which those are.

    keys: those of all programs.
    """
    deployed: list[Service] = []
    named = {key.partition("/")[0] for key in keys}
    for service in [service for service in context.ecs.services.values() if service.status == "ACTIVE"]:
        family = service.primary.task_definition.family
        own = family if family in named else ""
        files = sorted({file for key in changed if key.partition("/")[0] == own for file in changed[key]})
        if files:
            shown = ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
            news(f"Service {service.name} is deployed anew, for {shown} changed")
            update = {"cluster": service.cluster.name, "service": service.name, "forceNewDeployment": True}
            api.call(context, "UpdateService", update)
            deployed.append(service)
    return deployed


def _is_over(context: Context, rollout: _Rollout) -> bool:
    """Whether there is nothing more to wait for; if its code is all that answers now, that is said."""
    service, deployment, now = rollout.service, rollout.deployment, context.controller.clock()
    if service.primary is not deployment or service.status != "ACTIVE":  # another one follows, or a rollback
        return True
    tasks = context.ecs.tasks_of(service)
    parameters = context.controller.parameters
    own = [t for t in tasks if t.deployment is deployment and t.counts_as_healthy(now, parameters.running_grace)]
    cached = max(parameters.discovery_ttl, parameters.endpoint_propagation)
    former = [task for task in tasks if task.deployment is not deployment and not _is_out(task, now, cached)]
    # ECS has the deployment completed later, when the former tasks have ended, which may serve on.
    if former or len(own) < max(service.desired_count, 1):
        return False
    does = "serves" if any("registered" in task.steps or task.target_groups for task in own) else "runs"
    news(f"Service {service.name}: the new code {does} alone ({now - rollout.at:.0f} s after the change)")
    return True


def _is_out(task: Task, now: float, cached: float) -> bool:
    """Whether nobody sends *task* a request any more, who may have *cached* for so many seconds where it was."""
    if task.last_status is TaskStatus.STOPPED:
        return True
    return "deregistered" in task.steps and now >= task.steps["deregistered"] + cached


def snapshot(program: Program, programs_file: Path | None = None) -> Snapshot:
    """Time of change in ns and size in bytes of each file of *program* that is watched, by its path in the folder.

    programs_file: the twin.toml, which is none of them: of it a program's own table counts.
    """
    folder = program.command.folder
    own = programs_file and programs_file.resolve()
    patterns = [re.compile(_expression(pattern)) for pattern in program.watch]
    found: dict[str, tuple[int, int]] = {}
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        if any(pattern.fullmatch(name) for pattern in patterns):
            if own is not None and path.name == own.name and path.resolve() == own:
                continue
            try:
                status = path.stat()
            except OSError:  # gone since, or a link to nowhere
                continue
            found[name] = status.st_mtime_ns, status.st_size
            if len(found) >= _MOST:
                break
    return found


def changed_files(before: Snapshot, now: Snapshot) -> list[str]:
    """The paths that are new, gone, or changed between two snapshots."""
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def _files(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not _is_made(here, name)]
        yield from (Path(here, name) for name in files if not name.startswith(".") and _may_be_program(name))


def _may_be_program(name: str) -> bool:
    return not any(fnmatchcase(name, pattern) for pattern in _NO_PROGRAM)


def _is_made(here: str, name: str) -> bool:
    return name.startswith(".") or name in _MADE or os.path.exists(os.path.join(here, name, "pyvenv.cfg"))


def _expression(pattern: str) -> str:
    """A pattern as of `glob`, `**/` for any folders, as a regular expression."""
    parts = re.split(r"(\*\*/|\*|\?)", pattern)
    known = {"**/": r"(?:.*/)?", "*": r"[^/]*", "?": r"[^/]"}
    return "".join(known.get(part, re.escape(part)) for part in parts)
