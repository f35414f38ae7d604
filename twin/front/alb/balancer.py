"""The load balancers of one account and Region: their Envoy, the tasks registered with them, the targets' states."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from twin.aws.moto.elbv2 import Elbv2
from twin.envoy.dynamic import DynamicEnvoy
from twin.errors import StartFailed
from twin.events import BalancersChanged, Events, TargetChanged
from twin.front.alb import targets as configuration
from twin.front.alb.listeners import listener
from twin.front.alb.model import Listener, Target, TargetState
from twin.front.alb.reading import Balancing, read
from twin.gaps import Gap
from twin.machine.addresses import Address, is_free
from twin.machine.machine import Machine

__all__ = ["LoadBalancers"]

_POLL = 0.5  # seconds between two looks at the targets' health
_HTTP = 80
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_UNPRIVILEGED = 1024
_REASONS = {
    TargetState.INITIAL: ("Elb.InitialHealthChecking", "Initial health checks in progress"),
    TargetState.DRAINING: ("Target.DeregistrationInProgress", "Target deregistration is in progress"),
    TargetState.UNUSED: ("Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"),
}


class LoadBalancers:
    """ELBv2 as ECS and the gateway use it. One Envoy serves all listeners; with none there is no Envoy."""

    def __init__(
        self,
        elbv2: Elbv2,
        machine: Machine,
        events: Events,
    ) -> None:
        self._elbv2 = elbv2
        elbv2.serve(self)
        self._machine = machine
        self._events = events
        self._folder = folder = machine.folder / "load-balancer"
        self._envoy: DynamicEnvoy | None = None
        self._balancing = Balancing()
        self._places: dict[str, Address] = {}  # of each load balancer, by ARN: its port 80
        self._listening: dict[str, Address] = {}  # by listener ARN
        self._published: set[str] = set()  # the ids of the target groups that Envoy knows
        self._targets: list[Target] = []
        self._failures = folder / "health-checks.jsonl"  # those that failed, as Envoy logs them
        self._failures_read = 0  # bytes
        self._forgetting: set[asyncio.Task[None]] = set()
        self._busy = asyncio.Lock()
        self._stale = False
        self._have_changed = asyncio.Event()  # since they were last read, or while
        events.subscribe(BalancersChanged, lambda event: self._have_changed.set())

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What the load balancers ask for and the twin does not do."""
        return self._balancing.gaps

    @property
    def complaints(self) -> list[str]:
        """What is amiss with their Envoy, a sentence each."""
        return self._envoy.complaints if self._envoy is not None else []

    def address(self, listener_arn: str) -> Address | None:
        """Where a listener is on this machine; None if it is not served."""
        return self._listening.get(listener_arn)

    def is_encrypted(self, listener_arn: str) -> bool:
        """Whether that listener is one of HTTPS or TLS."""
        return any(each.arn == listener_arn and each.certificates for each in self._balancing.listeners)

    @property
    def urls(self) -> list[tuple[str, str]]:
        """Each listener, and where it is on this machine."""
        found = []
        for served in self._balancing.listeners:
            address, scheme = self._listening[served.arn], served.protocol.lower()
            url = f"{scheme}://{address}".removesuffix(f":{_DEFAULT_PORTS.get(scheme, '')}")
            found.append((f"load balancer {served.name.rpartition('-')[0]}, listener {served.port}", url))
        return found

    def name_of(self, balancer: str) -> str:
        """What stands for the DNS name of the load balancer with that ARN, from now on: the address of its port 80."""
        place = self._places[balancer] = self._machine.addresses.allocate_or_above(_HTTP)
        return place.host if place.port == _HTTP else str(place)

    @property
    def work(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What goes on by itself, by name."""
        return {"the load balancers": self.run, "the load balancers' changes": self.follow}

    async def configure(self) -> None:
        """Read the load balancers anew, and serve them as they are now."""
        async with self._busy:
            self._balancing = self._elbv2.read(partial(read, certificate=self._elbv2.certificate))
            here = {served.arn for served in self._balancing.listeners}
            self._listening = {arn: address for arn, address in self._listening.items() if arn in here}
            for served in self._balancing.listeners:
                if served.arn not in self._listening:
                    self._listening[served.arn] = self._place(served)
            self._stale = True  # until all is written, which a full disk prevents
            if self._envoy is not None:
                await self._publish(self._envoy)
            elif self._balancing.listeners:
                self._failures.unlink(missing_ok=True)  # of another run with the same folder
                envoy = DynamicEnvoy(
                    "load-balancer",
                    folder=self._folder,
                    processes=self._machine.processes,
                    binary=self._machine.envoy,
                    log=self._events.log,
                )
                await self._publish(envoy)
                await envoy.start()
                self._envoy = envoy  # from now on it is watched and kept
            self._stale = False

    async def follow(self) -> None:
        """Serve the load balancers as they are after each change, until cancelled."""
        while True:
            self._have_changed.clear()
            await self.configure()  # first of all: where it has failed, it is still to be done
            await self._have_changed.wait()

    async def run(self) -> None:
        """Watch the targets' health, and start Envoy anew whenever it has died, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            group.create_task(self._keep())

    async def requests(self) -> dict[tuple[str, str], tuple[int, int]]:
        """By load balancer and target group, by ARN: the requests since Envoy has it, and the targets that get some."""
        answer: dict[str, Any] = {}
        if self._envoy is not None and self._envoy.admin is not None:
            answer = await self._envoy.admin.json("/stats?format=json&filter=%5C.upstream_rq_total$")
        counts = {stat["name"]: int(stat["value"]) for stat in answer.get("stats", [])}
        ids = {group.arn: group.id for group in self._balancing.groups}
        served = {(each.balancer, arn) for each in self._balancing.listeners if each.is_http for arn in each.groups}
        found = {}
        for balancer, arn in served:
            targets = sum(each.group == arn and each.state is TargetState.HEALTHY for each in self._targets)
            found[balancer, arn] = counts.get(f"cluster.{ids.get(arn)}.upstream_rq_total", 0), targets
        return found

    async def requests_by_task(self) -> dict[str, int]:
        """The requests that each registered task has got since Envoy has its targets, by the task's id."""
        if self._envoy is None or self._envoy.admin is None:
            return {}
        ids = {group.arn: group.id for group in self._balancing.groups}
        counts = {
            key: sum(int(stat.get("value", 0)) for stat in host["stats"] if stat["name"] == "rq_total")
            for key, host in _hosts(await self._envoy.admin.json("/clusters?format=json"))
        }
        found: Counter[str] = Counter()
        for target in self._targets:
            found[target.task] += counts.get((ids.get(target.group, ""), target.host, target.port), 0)
        return found

    def require_groups(self, groups: Sequence[str]) -> None:
        """Nothing, if these target groups, by ARN, are there.

        Raises:
            StartFailed: one is not; as ECS has no word for it, the twin's own.
        """
        there = self._elbv2.target_groups()
        if gone := [group for group in groups if group not in there]:
            raise StartFailed(f"The target group {gone[0]} is not there any more")

    async def register(self, task: str, groups: Sequence[str], address: Address) -> None:
        """Register the task with that id with each of these target groups."""
        for group in groups:
            self._elbv2.register(group, address)
            self._targets.append(Target(group, task, address.host, address.port))
            self._events.publish(TargetChanged(task, group, TargetState.INITIAL))
        if groups:
            await self.configure()

    async def deregister(self, task: str) -> float:
        """Let a task's targets drain; the seconds of the deregistration delay, after which they are forgotten."""
        targets = [target for target in self._targets if target.task == task]
        if not targets:
            return 0.0
        for target in targets:
            self._enter(target, TargetState.DRAINING)
        # Before the configuration, which a full disk may prevent: the targets go in any case.
        delays = {group.arn: group.deregistration_delay for group in self._balancing.groups}
        delay = max(delays.get(target.group, 0.0) for target in targets)
        forgetting = asyncio.get_running_loop().create_task(self._forget(targets, delay))
        self._forgetting.add(forgetting)
        forgetting.add_done_callback(self._forgetting.discard)
        await self.configure()
        return delay

    async def rotate_log(self) -> None:
        """Begin the log of health checks anew if it has grown too large; what it had is read by then."""
        if self._envoy is not None:
            await self._envoy.rotate(self._failures)

    async def _publish(self, envoy: DynamicEnvoy) -> None:
        groups = {group.arn: group for group in self._balancing.groups}
        for group in groups.values():
            targets = [target for target in self._targets if target.group == group.arn]
            envoy.write(group.id, [configuration.endpoints(group, targets)])
        envoy.write(
            "cds", [configuration.cluster(g, envoy.files / f"{g.id}.json", self._failures) for g in groups.values()]
        )
        ids = {group.id for group in groups.values()}
        envoy.forget(self._published - ids)
        self._published = ids
        await envoy.applied()
        listeners, here = self._balancing.listeners, self._listening
        ports = {
            balancer: {str(each.port): str(here[each.arn].port) for each in listeners if each.balancer == balancer}
            for balancer in {each.balancer for each in listeners}
        }
        envoy.write("lds", [listener(x, groups, here[x.arn], ports[x.balancer]) for x in listeners])
        await envoy.applied()

    def _place(self, served: Listener) -> Address:
        """Where a listener is from now on: beside the others of its load balancer, at its own port if that may be."""
        addresses = self._machine.addresses
        place = self._places[served.balancer]
        if served.port == _HTTP:
            return place
        privileged = served.port < _UNPRIVILEGED and place.port != _HTTP
        address = addresses.beside(place, 8000 + served.port if privileged else served.port)
        return address if is_free(address) else addresses.allocate_or_above(served.port)

    async def _keep(self) -> None:
        while self._envoy is None:
            await asyncio.sleep(_POLL)
        await self._envoy.keep()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_POLL)
            if self._stale and not self._busy.locked():
                await self.configure()
            if self._envoy is None or self._envoy.admin is None or not self._targets:
                continue
            hosts = _hosts(await self._envoy.admin.json("/clusters?format=json"))
            health = {key: host["health_status"] for key, host in hosts}
            groups = {group.arn: group for group in self._balancing.groups}
            targets = {(groups[t.group].id, t.host, t.port): t for t in self._targets if t.group in groups}
            for key, failure in configuration.failures(self._new_failures()):
                if target := targets.get(key):
                    target.failures += 1
                    target.reason = configuration.reason(failure)
            for key, target in targets.items():
                if (known := health.get(key)) is not None:
                    check = groups[target.group].check
                    threshold = check.unhealthy_threshold if check else 0
                    self._enter(target, configuration.state(target, known, threshold))

    def _new_failures(self) -> list[str]:
        """The whole lines that Envoy has logged since the last look."""
        with contextlib.suppress(FileNotFoundError), self._failures.open("rb") as file:
            if os.fstat(file.fileno()).st_size < self._failures_read:
                self._failures_read = 0  # another file by now
            file.seek(self._failures_read)
            lines, _, _ = file.read().rpartition(b"\n")
            self._failures_read += len(lines) + 1 if lines else 0
            return lines.decode().splitlines()
        return []

    def _enter(self, target: Target, state: TargetState) -> None:
        if target.state is state:
            return
        target.state = state
        if state is TargetState.HEALTHY:
            target.failures = 0
        self._events.log("load-balancer", step=state.value, task=target.task, target=f"{target.host}:{target.port}")
        self._events.publish(TargetChanged(target.task, target.group, state))

    async def _forget(self, targets: list[Target], delay: float) -> None:
        await asyncio.sleep(delay)
        for target in targets:
            self._targets.remove(target)
            self._elbv2.deregister(target.group, Address(target.host, target.port))
        await self.configure()

    def health(self, target_group: str, address: Address) -> tuple[str, tuple[str, str] | None] | None:
        """A target's state, and the reason for it; None if no task is there. The endpoint's threads ask."""
        for target in list(self._targets):
            if (target.group, target.host, target.port) == (target_group, address.host, address.port):
                used = any(target_group in each.groups for each in self._balancing.listeners)
                state = target.state if used else TargetState.UNUSED
                return state.value, target.reason if state is TargetState.UNHEALTHY else _REASONS.get(state)
        return None


def _hosts(clusters: dict[str, Any]) -> Iterator[tuple[tuple[str, str, int], dict[str, Any]]]:
    """Each host of Envoy's /clusters, by the name of its cluster, its address and port."""
    for status in clusters.get("cluster_statuses", []):
        for host in status.get("host_statuses", []):
            where = host["address"]["socket_address"]
            yield (status["name"], where["address"], int(where["port_value"])), host
