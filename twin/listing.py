"""What `twin ps` prints: asked from the endpoint, as any client of AWS would."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from twin.aws.client import Aws
from twin.errors import NotUp
from twin.machine.printable import printable
from twin.remote import ask

__all__ = ["listing", "print_listing", "watch_listing"]

_GONE = (NotUp, BotoCoreError, ClientError)  # what one meets who asks a twin that ends
_WATCH_INTERVAL = 1.0  # seconds
# The nameless one is what is counted.
_COLUMNS = ("task", "host", "zone", "revision", "status", "health", "registered", "", "started", "why stopped")
_NARROW = 130  # columns of a terminal, below which a row leaves out
_LEFT_OUT = ("host", "zone", "revision", "started")
_WIDE = 160  # columns, from which on an id is whole: ECS's API takes no beginning of one, the twin's commands do
_OF_THE_TWIN = ("fronts", "calls", "left_out", "perhaps_not_on_aws", "complaints", "programs_error")
_UNPLACED = "was unable to place"  # of a service's event, in ECS's words


def listing(running: dict[str, Any]) -> dict[str, Any]:
    """The twin that tells *running* of itself, its tasks, and what it leaves out of the stack; no credentials.

    Raises:
        NotUp: it does not answer any more.
    """
    aws = Aws(running["aws_endpoint_url"], running["region"], running["credentials"])
    with _answering(running):
        gateway, addresses = ask(running, "gateway"), _registered(aws)
        services, tasks = list(_services(aws)), list(_described(aws))
        sides = _sides(services)
        rows = [(task, _row(task, addresses, gateway["requests"], sides)) for task in tasks]
    return {
        **{name: running[name] for name in ("pid", "gateway_url", "aws_endpoint_url", "region")},
        "tasks": [
            {
                "id": task["taskArn"].rsplit("/", 1)[-1],
                **dict(zip(("host", "zone", "revision", "status", "health"), row[1:6], strict=True)),
                "registered": None if row[6] == "-" else row[6],
                "requests": _requests(row[0], row[6], gateway["requests"]) or 0,
                "started_at": task["startedAt"].isoformat() if "startedAt" in task else None,
                "stopped_reason": task.get("stoppedReason"),
            }
            for task, row in rows
        ],
        "lacking": _lacking(services, tasks),
        **{name: gateway[name] for name in _OF_THE_TWIN},
        "failing": [{name: value for name, value in each.items() if name != "text"} for each in gateway["failing"]],
    }


def print_listing(running: dict[str, Any], *, stopped: bool = False, left_out: bool = False) -> None:
    """Print the tasks of the twin that tells *running* of itself, *stopped* ones too or not.

    left_out: also each part of the stack that does nothing on it, rather than how many there are.
    """
    console = _console()
    aws = Aws(running["aws_endpoint_url"], running["region"], running["credentials"])
    with _answering(running):
        gateway = ask(running, "gateway")
        services, tasks = list(_services(aws)), list(_described(aws))
        addresses = _registered(aws)
    console.print(_head(running))
    console.print(_table(services, tasks, addresses, "requests", gateway["requests"], console.width, stopped=stopped))
    for note in _notes(services, tasks, gateway):
        console.print(note, soft_wrap=True)
    fronts = gateway["fronts"]
    if any(front["url"] != running["gateway_url"] for front in fronts):  # a single API is where the gateway is
        console.print("\nWhat is served, and where:", highlight=False)
        for front in fronts:
            _item(console, f"{front['url']}  {front['name']}")
    if lines := _calls(gateway["calls"]):
        console.print("\nBy Service Connect these services may call each other:", highlight=False)
        for line in lines:
            _item(console, line)
    if elsewhere := gateway["perhaps_not_on_aws"]:
        console.print("\nWorks here, but perhaps not on AWS:", highlight=False)
        for line in elsewhere:
            _item(console, line)
    if gaps := gateway["left_out"]:
        parts = "1 part of the stack does" if len(gaps) == 1 else f"{len(gaps)} parts of the stack do"
        console.print(f"\n{parts} nothing here{':' if left_out else ': twin ps --left-out'}", highlight=False)
    for line in gaps if left_out else ():
        _item(console, line, "dim")


def _item(console: Console, line: str, style: str | None = None) -> None:
    console.print(f"  {printable(line)}", style=style, highlight=False, soft_wrap=True)


def _calls(calls: list[dict[str, str]]) -> list[str]:
    """A line for each service with what its tasks may call."""
    by_service: dict[str, list[str]] = {}
    for call in calls:
        by_service.setdefault(call["service"], []).append(f"{call['endpoint']} ({call['target']})")
    return [f"{service} -> {', '.join(endpoints)}" for service, endpoints in by_service.items()]


@contextlib.contextmanager
def _answering(running: dict[str, Any]) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise NotUp(f"The twin (pid {running['pid']}) does not answer any more ({error}).") from None


def watch_listing(running: dict[str, Any], *, stopped: bool = False) -> None:
    """Show the tasks anew every second, with the requests a second that each gets, until Ctrl-C or the twin's end."""
    aws = Aws(running["aws_endpoint_url"], running["region"], running["credentials"])
    before, at = ask(running, "gateway")["requests"], time.monotonic()
    console = _console()
    with contextlib.suppress(KeyboardInterrupt), Live(console=console, auto_refresh=False) as live:
        while True:
            time.sleep(_WATCH_INTERVAL)
            try:
                gateway, then = ask(running, "gateway"), at
                now, at = gateway["requests"], time.monotonic()
                # The counts begin anew with the gateway's Envoy.
                news = {name: total - before.get(name, 0) for name, total in now.items()}
                rates = {name: round(max(count, 0) / (at - then)) for name, count in news.items()}
                before = now
                services, tasks = list(_services(aws)), list(_described(aws))
                table = _table(services, tasks, _registered(aws), "req/s", rates, console.width, stopped=stopped)
                shown = Group(_head(running), table, *_notes(services, tasks, gateway))
                if console.is_terminal:
                    live.update(shown, refresh=True)
                else:
                    console.print(shown)
            except _GONE:
                console.print("The twin has gone down.", highlight=False)
                return


def _console() -> Console:
    console = Console(markup=False)  # a program's table is `[programs.orders]`
    if not console.is_terminal:
        console.width = 10_000  # whoever reads it has no edge to cut it at
    return console


def _head(running: dict[str, Any]) -> str:
    return f"gateway {running['gateway_url']}   AWS endpoint {running['aws_endpoint_url']}   pid {running['pid']}"


def _table(
    services: Iterable[dict[str, Any]],
    tasks: Iterable[dict[str, Any]],
    addresses: dict[str, str],
    counted: str,
    requests: Mapping[str, int],
    width: int,
    *,
    stopped: bool,
) -> Table:
    """A row for each of *tasks*, in *width* columns of a terminal; *requests* by address and task, in a column
    *counted*.

    stopped: whether tasks that are STOPPED have one.
    """
    table = Table(box=None, pad_edge=False)
    shown = [name for name in _COLUMNS if width >= _NARROW or name not in _LEFT_OUT]
    for name in shown:
        # Where it is tight the reason alone is cut: without ids and states the rest says nothing.
        table.add_column(name or counted, no_wrap=name != _COLUMNS[-1], justify="left" if name else "right")
    sides = _sides(services)
    for task in tasks:
        if task["lastStatus"] == "STOPPED" and not stopped:
            continue
        row = dict(zip(_COLUMNS, _row(task, addresses, requests, sides), strict=True))
        row["task"] = row["task"] if width >= _WIDE else row["task"][:12]
        table.add_row(*(Text(printable(row[name]), no_wrap=True, overflow="ellipsis") for name in shown))
    return table


def _notes(
    services: Iterable[dict[str, Any]], tasks: Iterable[dict[str, Any]], gateway: Mapping[str, Any]
) -> list[Text]:
    """A line for each service with fewer tasks than it wants, and for each whose newest tasks end by themselves.

    Others where tasks that run fail their health checks or accept no connection, or the programs' file cannot be used.
    """
    lines = [
        f"{each['service']}: {each['running']} of {each['desired']} tasks run"
        + (f": {each['reason']}" if each["reason"] else "")
        for each in _lacking(services, tasks)
    ]
    lines += [*(each["text"] for each in gateway["failing"]), *gateway["complaints"]]
    if gateway["programs_error"]:
        lines.append(f"No task can start: {gateway['programs_error']}")
    return [Text(printable(line)) for line in lines]


def _lacking(services: Iterable[dict[str, Any]], tasks: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each service of which fewer tasks run than it wants, with why its last task stopped or found no place.

    `reason` is None where no task of it has stopped and none has lacked a place.
    """
    stopped: dict[tuple[str, str], list[tuple[datetime, str]]] = {}
    for task in tasks:
        if task["lastStatus"] == "STOPPED" and "stoppedAt" in task:
            own = stopped.setdefault((task["clusterArn"], task.get("group", "")), [])
            own.append((task["stoppedAt"], task.get("stoppedReason", "")))
    lacking = []
    for service in services:
        if service["status"] == "ACTIVE" and service["runningCount"] < service["desiredCount"]:
            name = service["serviceName"]
            unplaced = [(e["createdAt"], e["message"]) for e in service["events"] if _UNPLACED in e["message"]]
            ended = stopped.get((service["clusterArn"], f"service:{name}"), [])
            _, reason = max([*ended, *unplaced], default=(None, None))
            counts = {"running": service["runningCount"], "desired": service["desiredCount"]}
            lacking.append({"service": name, **counts, "reason": reason})
    return lacking


def _described(aws: Aws) -> Iterator[dict[str, Any]]:
    """DescribeTasks of every task, running and stopped."""
    for cluster in aws.call("ecs", "ListClusters")["clusterArns"]:
        arns = [
            arn
            for status in ("RUNNING", "STOPPED")
            for arn in aws.call("ecs", "ListTasks", cluster=cluster, desiredStatus=status)["taskArns"]
        ]
        for start in range(0, len(arns), 100):
            yield from aws.call("ecs", "DescribeTasks", cluster=cluster, tasks=arns[start : start + 100])["tasks"]


def _registered(aws: Aws) -> dict[str, str]:
    """The address of each instance in Cloud Map, by its id."""
    found = {}
    for service in aws.call("servicediscovery", "ListServices")["Services"]:
        for instance in aws.call("servicediscovery", "ListInstances", ServiceId=service["Id"])["Instances"]:
            attributes = instance.get("Attributes", {})  # of an instance that somebody else registered, any
            where = (attributes.get(name, "-") for name in ("AWS_INSTANCE_IPV4", "AWS_INSTANCE_PORT"))
            found[instance["Id"]] = ":".join(where)
    return found


def _services(aws: Aws) -> Iterator[dict[str, Any]]:
    """DescribeServices of every service."""
    for cluster in aws.call("ecs", "ListClusters")["clusterArns"]:
        arns = aws.call("ecs", "ListServices", cluster=cluster, maxResults=100)["serviceArns"]
        for start in range(0, len(arns), 10):
            described = aws.call("ecs", "DescribeServices", cluster=cluster, services=arns[start : start + 10])
            yield from described["services"]


def _sides(services: Iterable[dict[str, Any]]) -> dict[str, str]:
    """What each deployment, by its id, is where its service has more than one; else nothing.

    `superseded`: another one came before it was completed.
    """
    sides = {}
    for service in services:
        for each in service["deployments"] if len(service["deployments"]) > 1 else ():
            if each["rolloutState"] == "FAILED":
                side = "failed"
            elif each["status"] == "PRIMARY":
                side = "new"
            else:
                side = "old" if each["rolloutState"] == "COMPLETED" else "superseded"
            sides[each["id"]] = side
    return sides


def _revision(task: dict[str, Any], sides: Mapping[str, str]) -> str:
    """Such as `serviceconnect:2`; during a deployment with the side on which the task is."""
    revision = str(task["taskDefinitionArn"].rsplit("/", 1)[-1])
    side = sides.get(task.get("startedBy", "")) if task["lastStatus"] != "STOPPED" else None
    return f"{revision} {side}" if side else revision


def _requests(task: str, address: str, requests: Mapping[str, int]) -> int | None:
    """Those by API Gateway, counted by *address*, and those by load balancers, by *task*; None: it is in neither."""
    counts = [requests[key] for key in (address, task) if key in requests]
    return sum(counts) if counts else None


def _row(
    task: dict[str, Any], addresses: dict[str, str], requests: Mapping[str, int], sides: Mapping[str, str]
) -> list[str]:
    identifier = task["taskArn"].rsplit("/", 1)[-1]
    details = {detail["name"]: detail["value"] for detail in task["attachments"][0]["details"]}
    address = addresses.get(identifier, "-")
    counted = _requests(identifier, address, requests)
    started: datetime | None = task.get("startedAt")
    return [
        identifier,
        details["privateDnsName"].partition(".")[0],
        task["availabilityZone"],
        _revision(task, sides),
        task["lastStatus"],
        task["healthStatus"],
        address,
        "-" if counted is None else str(counted),
        started.strftime("%H:%M:%S") if started else "-",
        task.get("stoppedReason", ""),
    ]
