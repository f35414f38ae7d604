"""Faults of a real twin, by the command line, and what clients and the event log see of them."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from tests.twin.running import RunningTwin, TwinFactory, twin_command, wait_until
from twin.events import Events, ZonesChanged
from twin.faults import Faults
from twin.tasks.proxy import Disturbance


@pytest.fixture(scope="module")
def twin(start_twin: TwinFactory) -> RunningTwin:
    return start_twin(
        *("--discovery-ttl", "0", "--proxy-drain", "0", "--balancing", "round-robin", "--running-grace", "0")
    )


def running(twin: RunningTwin) -> list[str]:
    """The ids of the tasks that run, once there are three."""

    def three() -> list[str] | None:
        ids = [task["taskArn"].rsplit("/", 1)[-1] for task in twin.tasks() if task["lastStatus"] == "RUNNING"]
        return sorted(ids) if len(ids) == 3 else None

    found: list[str] = wait_until(three, "three tasks run", timeout=60)
    return found


def fault(twin: RunningTwin, *arguments: str) -> str:
    return twin.says("fault", *arguments)


def faults(twin: RunningTwin, kind: str) -> list[dict[str, Any]]:
    return [event for event in twin.events() if event["kind"] == "fault" and event["fault"] == kind]


def wait_until_over(twin: RunningTwin, kind: str) -> None:
    wait_until(lambda: faults(twin, kind)[-1]["step"] == "ends", f"{kind} is over")


def seconds_of(ask: httpx.Client, path: str = "/hostname") -> dict[str, float]:
    """How long each of the three hosts takes for an answer."""
    seconds: dict[str, float] = {}
    for _ in range(3):
        started = time.monotonic()
        answer = ask.get(path)
        assert answer.status_code == 200
        seconds[answer.text] = time.monotonic() - started
    return seconds


def answers_within(twin: RunningTwin, seconds: float) -> bool:
    try:
        return httpx.get(f"{twin.gateway_url}/hostname", timeout=seconds, verify=False).status_code == 200
    except httpx.ReadTimeout:
        return False


def test_slow(twin: RunningTwin, ask: httpx.Client) -> None:
    victim = running(twin)[0]
    assert fault(twin, "slow", victim[:8], "--for", "2", "--delay", "0.7") == f"slow on {victim} for 2 s\n"

    held = sorted(seconds_of(ask).values())
    assert held[-1] > 0.65  # Envoy's clock and this one's are not the same to a millisecond
    wait_until_over(twin, "slow")
    begun, ended = faults(twin, "slow")
    assert (begun["target"], begun["seconds"], ended["how"]) == (victim, 2.0, "over")
    assert ended["time"] - begun["time"] > 1.95
    assert len(seconds_of(ask)) == 3


def test_hang_holds_requests_until_it_ends(twin: RunningTwin, ask: httpx.Client) -> None:
    victim = running(twin)[0]
    fault(twin, "hang", victim, "--for", "1.5")

    assert sorted(seconds_of(ask).values())[-1] > 0.2
    wait_until_over(twin, "hang")  # an answer came from the one that stood still; the log has it a moment later
    assert running(twin)[0] == victim


def test_unready_fails_health_checks_and_is_undone_on_demand(twin: RunningTwin, ask: httpx.Client) -> None:
    victim = running(twin)[0]
    fault(twin, "unready", victim)

    assert sorted(ask.get("/ready").status_code for _ in range(3)) == [200, 200, 503]
    assert len(seconds_of(ask)) == 3  # all else is answered
    assert fault(twin, "unready", victim, "--undo") == f"unready on {victim} is undone\n"
    assert [ask.get("/ready").status_code for _ in range(3)] == [200, 200, 200]
    assert faults(twin, "unready")[-1]["how"] == "undone"


def test_what_a_fault_takes_as_name_its_end_takes_too(twin: RunningTwin) -> None:
    victim = running(twin)[0]
    task = next(task for task in twin.tasks() if task["taskArn"].endswith(victim))
    host = next(d["value"] for d in task["attachments"][0]["details"] if d["name"] == "privateDnsName")

    for name in (victim, victim[:8], task["taskArn"], host, host.split(".")[0]):
        fault(twin, "slow", name, "--for", "60")
        assert fault(twin, "slow", name, "--undo") == f"slow on {victim} is undone\n"


class SlowToTake:
    """A task whose proxy takes the first change later than the second."""

    def __init__(self) -> None:
        self.task = SimpleNamespace(id="a" * 32, zone="eu-west-2a", host_name="ip-10-0-0-4.eu-west-2.compute.internal")
        self.application = None
        self.patience = iter([5, 1, 1])
        self.taken: list[Disturbance] = []

    async def disturb(self, disturbance: Disturbance) -> None:
        for _ in range(next(self.patience)):
            await asyncio.sleep(0)
        self.taken.append(disturbance)


def test_faults_that_begin_and_end_at_the_same_time_leave_what_is_active() -> None:
    life = SlowToTake()
    launcher = SimpleNamespace(lives={life.task.id: life}, find=lambda name: life)
    zones = SimpleNamespace(closed=set[str](), names=lambda: {"eu-west-2a"})
    events, closed = Events(), list[set[str]]()
    events.subscribe(ZonesChanged, lambda event: closed.append(zones.closed))

    async def scenario() -> None:
        faults = Faults(cast(Any, launcher), zones, events)
        await asyncio.gather(
            faults.begin("slow", "a", 60, 2.0),
            faults.begin("az-down", "eu-west-2a", 60, 1.0),
            faults.undo("slow", "aa"),
        )

    asyncio.run(scenario())

    assert life.taken[-1] == Disturbance(frozen=True)
    assert zones.closed == {"eu-west-2a"}
    assert closed == [{"eu-west-2a"}]  # told once, when it is so


def test_a_zone_without_a_task_is_said_to_have_none() -> None:
    life = SlowToTake()
    launcher = SimpleNamespace(lives={life.task.id: life})
    zones = SimpleNamespace(closed=set[str](), names=lambda: {"eu-west-2a", "eu-west-2b"})

    async def scenario() -> list[str]:
        faults = Faults(cast(Any, launcher), zones, Events())
        return [(await faults.begin("az-down", zone, 60, 1.0))["note"] for zone in sorted(zones.names())]

    assert asyncio.run(scenario()) == ["", "no task is in eu-west-2b now (1 in eu-west-2a)"]
    assert zones.closed == {"eu-west-2a", "eu-west-2b"}  # it stands all the same, for tasks that come


def test_a_fault_is_in_the_event_log_before_its_first_effect() -> None:
    """Whoever explains a failed request by the log finds the fault at or before it."""
    order: list[str] = []

    class Life(SlowToTake):
        async def disturb(self, disturbance: Disturbance) -> None:
            order.append("disturbed")

        def crash_application(self) -> None:
            order.append("killed")

        def crash_proxy(self) -> None:
            order.append("proxy killed")

    life = Life()
    launcher = SimpleNamespace(lives={life.task.id: life}, find=lambda name: life)
    zones = SimpleNamespace(closed=set[str](), names=lambda: {"eu-west-2a"})

    async def scenario() -> None:
        faults = Faults(cast(Any, launcher), zones, Events(lambda kind, **d: order.append(d["step"])))
        assert not faults.begun
        for kind in ("hang", "crash", "proxy-crash"):
            await faults.begin(kind, "a", 60 if kind == "hang" else None, 1.0)
        assert faults.begun

    asyncio.run(scenario())

    assert order == ["begins", "disturbed", "begins", "killed", "begins", "proxy killed"]


def test_proxy_crash_is_survived(twin: RunningTwin, ask: httpx.Client) -> None:
    victim = running(twin)[0]
    fault(twin, "proxy-crash", victim)

    def steps() -> list[str]:
        return [event["step"] for event in twin.events() if event.get("task") == victim]

    wait_until(lambda: "proxy restarted" in steps(), "the proxy is back")
    assert running(twin)[0] == victim
    assert len(seconds_of(ask)) == 3
    assert twin.run("logs", victim[:8], "--proxy").out


def test_crash_is_replaced_and_its_logs_stay(twin: RunningTwin) -> None:
    victim = running(twin)[0]
    fault(twin, "crash", victim)

    wait_until(lambda: victim not in running(twin), "another runs in its place")
    stopped = next(t for t in twin.tasks("STOPPED") if t["taskArn"].endswith(victim))
    assert (stopped["stopCode"], stopped["containers"][0]["exitCode"]) == ("EssentialContainerExited", 137)
    assert "hypercorn" in twin.run("logs", victim).out
    assert "GET /hostname" in twin.run("logs", "gateway").out


def test_stop_is_a_users(twin: RunningTwin) -> None:
    victim = running(twin)[0]
    assert twin.run("stop", victim[:10], "--reason", "to see").code == 0

    wait_until(lambda: victim not in running(twin), "another runs in its place")
    stopped = next(t for t in twin.tasks("STOPPED") if t["taskArn"].endswith(victim))
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("UserInitiated", "to see")


def test_discovery_down_keeps_what_was_found_and_hides_what_is_new(twin: RunningTwin, ask: httpx.Client) -> None:
    running(twin)
    fault(twin, "discovery-down", "--for", "60")
    outputs = twin.outputs()
    names = {"NamespaceName": outputs["namespace_name"], "ServiceName": outputs["discovery_name"]}
    discovery = twin.client("servicediscovery")

    with pytest.raises(discovery.exceptions.ClientError, match="InternalFailure"):
        discovery.discover_instances(**names)
    assert len(seconds_of(ask)) == 3
    fault(twin, "discovery-down", "--undo")
    assert len(discovery.discover_instances(**names)["Instances"]) == 3


def test_az_down_stops_a_zone_and_nothing_starts_there(twin: RunningTwin) -> None:
    running(twin)
    fault(twin, "az-down", "eu-west-2a", "--for", "60")
    zones = {task["taskArn"]: task["availabilityZone"] for task in twin.tasks()}
    assert set(zones.values()) == {"eu-west-2a", "eu-west-2b"}
    assert sorted(answers_within(twin, 0.5) for _ in range(3))[0] is False

    twin.run("stop", next(arn for arn, zone in zones.items() if zone == "eu-west-2b"))
    wait_until(lambda: {t["taskArn"] for t in twin.tasks()} - zones.keys(), "another task starts")
    new = [task for task in twin.tasks() if task["taskArn"] not in zones]
    assert {task["availabilityZone"] for task in new} == {"eu-west-2b"}
    fault(twin, "az-down", "eu-west-2a", "--undo")
    running(twin)
    with httpx.Client(base_url=twin.gateway_url, timeout=10) as client:
        assert len(seconds_of(client)) == 3


def test_faults_that_overlap_do_not_end_each_other(twin: RunningTwin) -> None:
    victim = running(twin)[0]
    zone = next(task["availabilityZone"] for task in twin.tasks() if task["taskArn"].endswith(victim))
    fault(twin, "hang", victim, "--for", "60")
    fault(twin, "az-down", zone, "--for", "60")
    fault(twin, "az-down", zone, "--undo")
    assert not all(answers_within(twin, 0.5) for _ in range(3))  # it still hangs

    fault(twin, "slow", victim, "--for", "60", "--delay", "5")
    fault(twin, "slow", victim, "--for", "0.1", "--delay", "1")
    wait_until_over(twin, "slow")
    fault(twin, "hang", victim, "--undo")
    assert not all(answers_within(twin, 2) for _ in range(3))  # it is still slow

    fault(twin, "slow", victim, "--undo")
    assert all(answers_within(twin, 2) for _ in range(3))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["burn", "x"], ("burn", "crash, hang, slow")),
        (["crash"], ("crash needs a task", "twin ps")),
        (["crash", "zzz"], ("zzz is no task", "give one of")),
        (["hang", ""], ("tasks: give one of",)),
        (["az-down", "mars"], ("mars is no zone", "give one of eu-west-2a, eu-west-2b.")),
        (["az-down", "eu-west-2c"], ("eu-west-2c is no zone of the stack",)),
        (["discovery-down", "x"], ("leave x out",)),
        (["slow", "x", "--for", "0"], ("--for 0", "above 0")),
        (["slow", "x", "--delay", "-1"], ("--delay -1", "above 0")),
        (["crash", "x", "--for", "1"], ("crash takes no time",)),
        (["hang", "x", "--undo"], ("no fault hang on x",)),
    ],
    ids=" ".join,
)
def test_a_fault_that_cannot_be_is_refused_in_one_sentence(
    twin: RunningTwin, arguments: list[str], words: tuple[str, ...]
) -> None:
    running(twin)
    done = twin.run("fault", *arguments)

    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert all(word in done.err for word in words), done.err


def test_logs_of_an_unknown_task(twin: RunningTwin) -> None:
    done = twin.run("logs", "zzz")

    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "zzz is no task" in done.err


def test_ps_watch_shows_tasks_and_requests_a_second(twin: RunningTwin, ask: httpx.Client) -> None:
    ids = running(twin)
    leader, follower = pty.openpty()
    command = twin_command("ps", "--watch", "--state", str(twin.state))
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200", "LINES": "40"}
    with subprocess.Popen(command, stdout=follower, stderr=follower, env=environment) as process:
        os.close(follower)
        shown = ""

        def live() -> bool:
            nonlocal shown
            for _ in range(30):
                ask.get("/hostname")
            shown += os.read(leader, 65536).decode()
            rates = re.findall(r"RUNNING\s+\w+\s+127\S+\s+(\d+)", shown)
            return all(name[:12] in shown for name in ids) and any(int(rate) > 0 for rate in rates)

        wait_until(live, "tasks and rates are shown")
        process.send_signal(2)
        assert process.wait(10) == 0
    os.close(leader)
    assert "req/s" in shown
    assert "Traceback" not in shown


def test_in_a_narrow_terminal_the_reason_alone_is_cut(twin: RunningTwin) -> None:
    victim = running(twin)[0]
    reason = "it had to make room for another that is newer, better and of a longer name"
    twin.run("stop", victim, "--reason", reason)
    wait_until(lambda: victim not in running(twin), "another runs in its place")

    leader, follower = pty.openpty()
    command = twin_command("ps", "-a", "--state", str(twin.state))
    environment = {**os.environ, "TERM": "dumb", "COLUMNS": "80"}
    subprocess.run(command, stdout=follower, stderr=follower, env=environment, check=True)
    os.close(follower)
    narrow = os.read(leader, 65536).decode().splitlines()
    os.close(leader)
    (line,) = (line for line in narrow if victim[:12] in line)
    assert len(line) <= 80
    assert re.fullmatch(rf"{victim[:12]} +[A-Z]+ +[A-Z]+ +- +- +it had.*…\s*", line), line
    (wide,) = (line for line in twin.run("ps", "-a").out.splitlines() if victim[:12] in line)
    assert reason in wide


def test_the_state_folder_holds_the_logs(twin: RunningTwin) -> None:
    for task in running(twin):
        folder = Path(twin.state) / "tasks" / task
        assert {"application.log", "proxy.log"} <= {file.name for file in folder.iterdir()}


def test_a_twin_that_goes_down_while_it_is_watched_is_a_sentence(start_twin: TwinFactory) -> None:
    twin = start_twin("--empty", wait=False)
    wait_until(lambda: twin.run("env").code == 0, "it serves", timeout=60)
    command = twin_command("ps", "--watch", "--state", str(twin.state))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as watching:
        assert watching.stdout is not None
        first = watching.stdout.readline()
        down = twin.run("down")
        said = watching.stdout.read()

    assert first.startswith("gateway http")
    assert (down.code, watching.returncode) == (0, 0)
    assert said.endswith("The twin has gone down.\n"), said
    assert "Traceback" not in said
    again = twin.run("down")
    assert (again.code, again.err.count("\n")) == (2, 1)
