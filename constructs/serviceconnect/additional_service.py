"""A further service in the stack's cluster: other services call it, the API reaches it, or it calls others itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdktf import ITerraformDependable
from constructs import Construct

from serviceconnect.logs import ServiceLogs
from serviceconnect.settings import InvalidSettings, Settings
from serviceconnect.source import ImageSource
from serviceconnect.workload import UPSTREAMS, Workload

if TYPE_CHECKING:
    from serviceconnect.stack import ServiceConnectStack

__all__ = ["AdditionalService", "AdditionalServiceProps"]


@dataclass(frozen=True, kw_only=True)
class AdditionalServiceProps:
    """What a further service is made of.

    Args:
        settings: what the stack's settings give for it: `Settings.beside`.
        source: of its image; not used if the settings name one.
        calls: the services that it calls by their client aliases, ``http://name:port``.
        routes: of the API, which lead to it; none: only other services call it.
        serves: whether Service Connect registers it; if not, it is a client alone, and has no routes.
    """

    settings: Settings
    source: ImageSource
    calls: Sequence[Workload] = ()
    routes: Sequence[str] = ()
    serves: bool = True


class AdditionalService(Construct):
    """A service with image, roles, logs, security group, scaling and alarm of its own; the rest is *stack*'s.

    Its outputs are the stack's, with its name before them. It can join a stack that runs: of the other services nothing
    is replaced, and no task of theirs.

    A task finds the endpoints that were there when its deployment began, so the services that it calls are rolled out
    before. One that is called later is in its environment too (UPSTREAMS), which begins a deployment.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-connect-concepts.html

    Raises:
        InvalidSettings: the API has such a route already, or the settings contradict the props.
    """

    def __init__(self, stack: ServiceConnectStack, id: str, props: AdditionalServiceProps) -> None:
        super().__init__(stack, id)
        settings = props.settings
        problems = [*_conflicts(props)]
        if problems:
            raise InvalidSettings(problems)
        # Called as the stack's own parts are, so that the addresses are alike.
        rules, door, alarms = (Construct(self, part) for part in ("network", "gateway", "alarms"))
        network = stack.network.beside(rules, settings)
        after: list[ITerraformDependable] = []
        for callee in props.calls:
            name = f"to-{callee.settings.discovery_name}"
            after += callee.network.admit(rules, name, network.group, callee.settings.container_port)
            after.append(callee.rolled_out)
        if props.routes:
            network.admit(rules, "requests", stack.network.vpc_link_group, settings.container_port)
        logs = ServiceLogs(self, "logs", settings)
        self.workload = Workload(self, settings, network, logs, props.source, push_it=stack.pushes_images)
        after += self.workload.admitted(Construct(self, "endpoints"), stack.endpoints)
        self.service = self.workload.run(
            stack.cluster, stack.alarms, after=after, serves=props.serves, calls=props.calls
        )
        if props.routes:
            stack.gateway.serve(door, self.service, settings, props.routes)
        self.workload.watch(stack.alarms, alarms, self.service, stack.sources(self.service, settings))
        outputs = {
            "service_name": self.service.name,
            "repository_url": self.workload.image.repository_url,
            "log_group_name": logs.service.name,
            "task_security_group_id": network.group.id,
        }
        if props.serves:
            outputs["discovery_name"] = settings.discovery_name
            outputs["url"] = self.workload.url
        prefix = settings.name.replace("-", "_")
        stack.say({f"{prefix}_{name}": value for name, value in outputs.items()})


def _conflicts(props: AdditionalServiceProps) -> list[str]:
    settings = props.settings
    problems = []
    if not props.serves and props.routes:
        problems.append(f"routes = {', '.join(props.routes)} of {settings.name} need serves = True.")
    if not props.serves and settings.autoscaling == "requests":
        problems.append(f"autoscaling = requests of {settings.name} needs serves = True: a client alone gets none.")
    if props.calls and UPSTREAMS in {**settings.environment, **settings.secrets}:
        problems.append(f"environment and secrets of {settings.name} must not set {UPSTREAMS}: it comes from calls.")
    return problems
