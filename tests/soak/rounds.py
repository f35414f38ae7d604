"""The rounds of a soak: deeds under load, then quiet, checks and measurements."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.soak.machine import Process, RotatedLog, listening, processes, resident
from tests.twin.aws.ecs.load import Load
from twin.errors import TwinError
from twin.machine.state import StateFolder
from twin.remote import ask

TASKS = 3  # wanted in quiet
QUIET = 3.0  # seconds in which nothing may fail
SETTLES_WITHIN = 120.0
# From an event on, its effect on clients: the gateway's cache, a connect that is tried for a second, and a little.
AFTERMATH = 3.0
PAUSE = 0.04  # seconds from an answer to the next request of its connection
CONNECTIONS = 4  # on each of the two ways
EXPLAIN = {
    *("fails", "DEACTIVATING", "deregistered", "SIGTERM", "application stopped", "proxy exited", "proxy restarted"),
    *("Envoy exited", "Envoy restarted", "unhealthy", "draining", "unused", "health UNHEALTHY", "does not listen"),
    "not taken over",
}
# What is away from the first step to one of the others, of the same task or Envoy.
AWAY = {"proxy exited": {"proxy restarted", "STOPPED"}, "Envoy exited": {"Envoy restarted"}}
# By which step the twin says that it has lost a process; clients may know before it does.
LOST = {
    "application": {"fails", "application stopped"},
    "proxy": {"proxy exited"},
    "gateway": {"Envoy exited"},
    "load-balancer": {"Envoy exited"},
}
NOTICED_WITHIN = 5.0  # seconds: the twin may just stand still for 4
_STOOD_STILL = re.compile(r"the twin stood still for ([\d.]+) s")


@dataclass
class Measured:
    """What there is of everything in quiet, when there are three tasks."""

    seconds: float
    memory_mb: float
    descriptors: int
    threads: int
    processes: int
    ports: int
    registrations: int
    folders: int
    state_mb: float


@dataclass
class Figures:
    """What a soak says in the end."""

    seed: int
    seconds: float = 0.0
    rounds: int = 0
    deeds: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    failed: int = 0
    in_quiet: int = 0  # requests, of which none may fail
    tasks: int = 0  # that were started in all
    slowest_settling_s: float = 0.0
    violations: list[str] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)

    def growth(self) -> dict[str, float]:
        """An hour's growth of each measure: a line through the measurements, without the first quarter of them."""
        later = self.measured[len(self.measured) // 4 :]
        if len(later) < 3:
            return {}
        mean = sum(m.seconds for m in later) / len(later)
        spread = sum((m.seconds - mean) ** 2 for m in later)
        names = [name for name in asdict(later[0]) if name != "seconds"]
        slopes = {n: sum((m.seconds - mean) * float(getattr(m, n)) for m in later) / spread for n in names}
        return {name: round(slope * 3600, 2) for name, slope in slopes.items()}


class Soak:
    """One soak, from within the twin: the twin that runs on *state* has started this process."""

    def __init__(self, state: Path, seed: int) -> None:
        self.state = state
        self.running = StateFolder(state).running()
        self.supervisor = int(self.running["pid"])
        self.dice = random.Random(seed)
        self.figures = Figures(seed)
        self.names = {"cluster": self.running["cluster_name"], "service": self.running["service_name"]}
        config = Config(inject_host_prefix=False)
        self.ecs, self.cloud_map, self.elb, self.ec2 = (
            boto3.client(name, config=config) for name in ("ecs", "servicediscovery", "elbv2", "ec2")
        )
        self.discovery = self.cloud_map.list_services()["Services"][0]["Id"]
        self.began = time.monotonic()
        self.gateway_killed = False
        self.killed: list[tuple[float, str]] = []  # by the soak itself, from outside: when, and the kind
        self.done: list[tuple[float, str]] = []  # the deeds of this round
        self.log = RotatedLog(state / "gateway" / "access.log")

    def run(self, seconds: float, file: Path | None) -> int:
        """Rounds for so many seconds; 0 if everything was as it must be."""
        self.settle()
        self.measure()
        while time.monotonic() - self.began < seconds:
            self.round()
        self.figures.seconds = round(time.monotonic() - self.began, 1)
        self.check_growth()
        said = asdict(self.figures) | {"growth_per_hour": self.figures.growth()}
        if file:
            file.write_text(json.dumps(said, indent=2) + "\n")
        del said["measured"]
        said["last"] = asdict(self.figures.measured[-1])
        print(json.dumps(said, indent=2), flush=True)
        return 1 if self.figures.violations else 0

    def round(self) -> None:
        """Deeds under load, until all of it has come to its end, and for a while of quiet."""
        began, lines, self.gateway_killed = time.time(), self.access_log(), False
        self.killed, self.done = [], []
        with contextlib.ExitStack() as stack:
            ways = ("/hostname", "/alb/hostname")
            loads = [
                stack.enter_context(Load(self.running["gateway_url"], CONNECTIONS, PAUSE, path=path)) for path in ways
            ]
            for _ in range(self.dice.randint(1, 4)):
                deed = self.dice.choice(DEEDS)
                self.figures.deeds[deed.__name__] = self.figures.deeds.get(deed.__name__, 0) + 1
                self.done.append((time.time(), deed.__name__))
                # What is refused, or gone in between, is no violation; nor is a task that ended by itself.
                with contextlib.suppress(TwinError, ClientError, ProcessLookupError):
                    deed(self)
                time.sleep(self.dice.uniform(0.1, 2.0))
            self.settle()
            quiet = time.time()
            time.sleep(QUIET)
        self.check_requests(loads, began, quiet, lines)
        self.check_events(began)
        self.measure()
        self.figures.rounds += 1
        deeds = ", ".join(name for _, name in self.done)
        print(f"soak: {time.monotonic() - self.began:.0f} s, {self.figures.rounds} rounds ({deeds})", flush=True)

    def settle(self) -> None:
        """Bring it back to what it was at first, and wait until it is so."""
        self.ecs.update_service(**self.names, desiredCount=TASKS)
        ask(self.running, "set", assignments=["discovery-ttl=0.5", "balancing=random"])
        began = time.monotonic()
        while missing := self.unsettled():
            if time.monotonic() - began > SETTLES_WITHIN:
                self.violation(f"not settled after {SETTLES_WITHIN:g} s: {missing}")
                break
            time.sleep(0.2)
        self.figures.slowest_settling_s = max(self.figures.slowest_settling_s, round(time.monotonic() - began, 1))
        time.sleep(AFTERMATH)

    def unsettled(self) -> str:
        """What has not come to its end yet; empty if all has."""
        begun = Counter(
            e["fault"] for e in self.events() if e["kind"] == "fault" and e["step"] == "begins" and e["seconds"]
        )
        ended = Counter(e["fault"] for e in self.events() if e["kind"] == "fault" and e["step"] == "ends")
        if under_way := begun - ended:  # more may have ended than begun, in what is left of the log
            return f"faults {under_way}"
        service = self.ecs.describe_services(cluster=self.names["cluster"], services=[self.names["service"]])[
            "services"
        ][0]
        counts = [service[name] for name in ("desiredCount", "runningCount", "pendingCount")]
        if counts != [TASKS, TASKS, 0] or len(service["deployments"]) != 1:
            return f"desired, running and pending {counts}, {len(service['deployments'])} deployments"
        tasks = self.tasks("RUNNING")
        ids = {task["taskArn"].rsplit("/", 1)[-1] for task in tasks}
        if {task["healthStatus"] for task in tasks} != {"HEALTHY"}:
            return "health"
        if ending := [task for task in self.tasks("STOPPED") if task["lastStatus"] != "STOPPED"]:
            return f"{len(ending)} tasks that end"
        found = self.cloud_map.list_instances(ServiceId=self.discovery)["Instances"]
        if {instance["Id"] for instance in found} != ids:
            return "registrations"
        for group in self.elb.describe_target_groups()["TargetGroups"]:
            health = self.elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
            if [target["TargetHealth"]["State"] for target in health] != ["healthy"] * TASKS:
                return f"targets {[target['TargetHealth']['State'] for target in health]}"
        expected = {"application": TASKS, "proxy": TASKS, "gateway": 1, "load-balancer": 1, "watchdog": 1}
        kinds = Counter(process.kind for process in self.processes())
        return "" if kinds == expected else f"processes {dict(kinds)}"

    def check_requests(self, loads: list[Load], began: float, quiet: float, lines: int) -> None:
        """Sums are exact, and what failed is explained by an event."""
        spans = [span for load in loads for span in load.spans]
        self.figures.requests += len(spans)
        failed = [(start, end) for start, end, good in spans if not good]
        self.figures.failed += len(failed)
        self.figures.in_quiet += sum(start >= quiet for start, _, _ in spans)
        windows = list(self.windows(began))
        for start, end in failed:
            if start >= quiet or not any(start <= until and end >= since for since, until in windows):
                self.violation(f"a request failed without an event, {self.circumstances(start, began)}")
        deadline = time.monotonic() + 5
        while (logged := self.access_log() - lines) < len(spans) and time.monotonic() < deadline:
            time.sleep(0.1)
        # A gateway that is killed takes what it has not written yet.
        if logged > len(spans) or (logged < len(spans) and not self.gateway_killed):
            self.violation(f"the access log has {logged} requests, clients sent {len(spans)}")

    def circumstances(self, start: float, began: float) -> str:
        """When a request began, what was done in its round, and what the event log has beside it."""
        deeds = ", ".join(f"{name} at {at - began:.2f} s" for at, name in self.done)
        near = [
            f"{event.get('step') or event.get('what')} at {event['time'] - began:.2f} s"
            for event in self.events()
            if abs(event["time"] - start) < 2 * AFTERMATH
        ]
        return (
            f"{start - began:.2f} s after the round began ({deeds}); the event log has {', '.join(near) or 'nothing'}"
        )

    def windows(self, began: float) -> Iterator[tuple[float, float]]:
        """When the event log explains a failure: from an event until its effect is over."""
        events = [event for event in self.events() if event["time"] > began - 60]
        faults: dict[tuple[str, str], list[float]] = {}
        away: dict[tuple[str, str, str], float] = {}
        for event in events:
            at, step = event["time"], event.get("step")
            since = at
            if event["kind"] == "fault":
                # Faults of a kind on the same target overlap: the first that began explains until the last has ended.
                open_ = faults.setdefault((event["fault"], event["target"]), [])
                if step == "begins" and event["seconds"]:
                    open_.append(at)
                since = min(open_, default=at)
                if step == "ends" and open_:
                    open_.remove(max(open_))
            elif event["kind"] == "accident":
                still = _STOOD_STILL.fullmatch(event["what"])
                since = at - float(still[1]) if still else at
            else:
                source = event["kind"], event.get("task", "")
                for gone, back in AWAY.items():
                    if step == gone:
                        away[(gone, *source)] = at
                    elif step in back:
                        since = min(since, away.pop((gone, *source), at))
                if since == at and step not in EXPLAIN:
                    continue
            yield since - 0.2, at + AFTERMATH
        for killed, kind in self.killed:
            noticed = (e["time"] for e in events if e.get("step") in LOST.get(kind, ()) and e["time"] >= killed)
            if (first := next(noticed, None)) is not None and first - killed < NOTICED_WITHIN:
                yield killed, first

    def check_events(self, began: float) -> None:
        for event in self.events():
            if event["time"] >= began and event["kind"] == "twin" and event["step"] == "failed":
                self.violation(f"{event['message']}: {event.get('error')}")

    def measure(self) -> None:
        """Measure, and compare with the first time."""
        known = {task["taskArn"].rsplit("/", 1)[-1] for s in ("RUNNING", "STOPPED") for task in self.tasks(s)}
        # Asked before: a task that is forgotten in between, after its hour, has no folder any more.
        folders = {path.name for path in (self.state / "tasks").iterdir()}
        if folders - known:
            self.violation(f"{len(folders - known)} folders of tasks that nobody knows")
        pids = [self.supervisor, *(process.pid for process in self.processes())]
        size = sum(path.stat().st_size for path in self.state.rglob("*") if path.is_file())
        self.figures.tasks = len(known)
        own = Path(f"/proc/{self.supervisor}")
        self.figures.measured.append(
            Measured(
                seconds=round(time.monotonic() - self.began, 1),
                memory_mb=resident(self.supervisor),
                descriptors=len(list((own / "fd").iterdir())),
                threads=len(list((own / "task").iterdir())),
                processes=len(pids),
                ports=listening(pids),
                registrations=len(self.cloud_map.list_instances(ServiceId=self.discovery)["Instances"]),
                folders=len(folders),
                state_mb=round(size / 1e6, 2),
            )
        )

    def check_growth(self) -> None:
        """What must be as at first is, but for a connection or a thread that happens to be there."""
        first, last = self.figures.measured[0], self.figures.measured[-1]
        for name, most in {"descriptors": 8, "threads": 8, "processes": 0, "ports": 0, "registrations": 0}.items():
            grown = getattr(last, name) - getattr(first, name)
            if grown > most:
                self.violation(f"{name} grew from {getattr(first, name)} to {getattr(last, name)}")

    def violation(self, what: str) -> None:
        print(f"soak: VIOLATION after {time.monotonic() - self.began:.0f} s: {what}", file=sys.stderr, flush=True)
        self.figures.violations.append(what)

    def events(self) -> list[dict[str, Any]]:
        """What there is of the event log, over its last rotation."""
        texts = []
        for name in ("events.jsonl.1", "events.jsonl"):
            with contextlib.suppress(FileNotFoundError):
                texts.append((self.state / name).read_text())
        return [json.loads(line) for text in texts for line in text.splitlines()]

    def access_log(self) -> int:
        """The lines of the access log so far, those of files that are no longer kept included."""
        return self.log.lines()

    def tasks(self, status: str) -> list[dict[str, Any]]:
        """DescribeTasks of those with this desired status."""
        pages = self.ecs.get_paginator("list_tasks").paginate(cluster=self.names["cluster"], desiredStatus=status)
        arns = [arn for page in pages for arn in page["taskArns"]]
        found: list[dict[str, Any]] = []
        for start in range(0, len(arns), 100):
            found += self.ecs.describe_tasks(cluster=self.names["cluster"], tasks=arns[start : start + 100])["tasks"]
        return found

    def processes(self) -> list[Process]:
        """Those of the twin, but for this one and those that check health."""
        return [process for process in processes(self.supervisor, without=os.getpid()) if process.kind != "check"]

    def any_task(self) -> str:
        tasks = sorted(task["taskArn"] for task in self.tasks("RUNNING") if task["lastStatus"] == "RUNNING")
        return self.dice.choice(tasks) if tasks else ""

    def kill(self, kind: str) -> None:
        found = sorted(process.pid for process in self.processes() if process.kind == kind)
        if found:
            chosen = self.dice.choice(found)
            self.killed.append((time.time(), kind))
            os.kill(chosen, signal.SIGKILL)

    def fault(self, kind: str, target: str | None, seconds: float | None) -> None:
        ask(self.running, "fault", kind=kind, target=target, seconds=seconds, delay=self.dice.uniform(0.1, 2.0))


def _of_task(kind: str, longest: float | None) -> Callable[[Soak], None]:
    def deed(soak: Soak) -> None:
        soak.fault(kind, soak.any_task(), soak.dice.uniform(0.5, longest) if longest else None)

    deed.__name__ = kind
    return deed


def _kill(kind: str) -> Callable[[Soak], None]:
    def deed(soak: Soak) -> None:
        soak.gateway_killed |= kind == "gateway"
        soak.kill(kind)

    deed.__name__ = f"kill {kind}"
    return deed


def az_down(soak: Soak) -> None:
    soak.fault("az-down", soak.dice.choice(["eu-west-2a", "eu-west-2b"]), soak.dice.uniform(0.5, 8))


def discovery_down(soak: Soak) -> None:
    soak.fault("discovery-down", None, soak.dice.uniform(0.5, 8))


def undo(soak: Soak) -> None:
    ask(
        soak.running,
        "undo",
        kind=soak.dice.choice(["hang", "slow", "unready", "az-down", "discovery-down"]),
        target=None,
    )


def stop(soak: Soak) -> None:
    soak.ecs.stop_task(cluster=soak.names["cluster"], task=soak.any_task())


def scale(soak: Soak) -> None:
    soak.ecs.update_service(**soak.names, desiredCount=soak.dice.randint(1, 6))


def deploy(soak: Soak) -> None:
    soak.ecs.update_service(**soak.names, forceNewDeployment=True)


def stand_still(soak: Soak) -> None:
    os.kill(soak.supervisor, signal.SIGSTOP)
    time.sleep(soak.dice.uniform(0.5, 4))
    os.kill(soak.supervisor, signal.SIGCONT)


def change_parameters(soak: Soak) -> None:
    ttl, policy = soak.dice.choice([0, 0.1, 1]), soak.dice.choice(["round-robin", "least-request"])
    ask(soak.running, "set", assignments=[f"discovery-ttl={ttl}", f"balancing={policy}"])


def foreign_instance(soak: Soak) -> None:
    instance = {"ServiceId": soak.discovery, "InstanceId": "foreign"}
    soak.cloud_map.register_instance(**instance, Attributes={"COLOUR": "red"})
    time.sleep(soak.dice.uniform(0, 1))
    soak.cloud_map.deregister_instance(**instance)


def target_group(soak: Soak) -> None:
    vpc = soak.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    made = soak.elb.create_target_group(Name="other", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")
    time.sleep(soak.dice.uniform(0, 1))
    soak.elb.delete_target_group(TargetGroupArn=made["TargetGroups"][0]["TargetGroupArn"])


DEEDS: list[Callable[[Soak], None]] = [
    *(_of_task(kind, longest) for kind, longest in {"hang": 8, "slow": 8, "unready": 12}.items()),
    *(_of_task(kind, None) for kind in ("crash", "proxy-crash")),
    *(_kill(kind) for kind in ("application", "proxy", "gateway", "load-balancer", "watchdog")),
    *(az_down, discovery_down, undo, stop, scale, deploy, stand_still),
    *(change_parameters, foreign_instance, target_group),
]
