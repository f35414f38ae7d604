"""All settings in one frozen, validated set; importable without cdktf.

General layout: field.py has the machinery of one setting; common.py, network.py, service.py, gateway.py, operations.py
and load.py have the slices that the constructs take; reading.py reads cdktf.json and the environment; table.py
writes docs/settings.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from serviceconnect.settings import gateway, load, network, operations, service
from serviceconnect.settings.common import CommonSettings
from serviceconnect.settings.gateway import GatewaySettings
from serviceconnect.settings.load import LoadSettings
from serviceconnect.settings.network import NetworkSettings
from serviceconnect.settings.operations import OperationsSettings

__all__ = ["InvalidSettings", "Settings"]

# What one service of the network does not have in common with the others, and what it does of its tasks.
_OF_ONE = {"name", "egress", "extra_endpoints", "task_security_groups", "comparison", "comparison_health_path"}
_OF_ALL = {"permissions_boundary", "log_retention_days"}
_SHARED = {*CommonSettings.__annotations__, *NetworkSettings.__annotations__, *GatewaySettings.__annotations__}
_SHARED = _SHARED - _OF_ONE | _OF_ALL

# Where ECS reads secrets.
SECRETS = ("secretsmanager", "ssm")


class InvalidSettings(ValueError):
    """One or more settings break their rule; ``problems`` has one sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, kw_only=True)
class Settings(NetworkSettings, OperationsSettings, GatewaySettings, LoadSettings):
    """Everything that may be chosen. Raises InvalidSettings with all that is wrong at once."""

    def __post_init__(self) -> None:
        problems = [*self._broken_rules(), *self._conflicts()]
        if problems:
            raise InvalidSettings(problems)

    def beside(self, name: str, **own: object) -> Settings:
        """Settings of another service of the same stack: *own*, what is the stack's, and defaults.

        Raises:
            InvalidSettings: also where *own* has what is the stack's.
        """
        shared = {field.name: getattr(self, field.name) for field in fields(self) if field.name in _SHARED}
        problems = [f"{key} of {name} must not be given: it is the stack's." for key in own if key in shared]
        known = [field.name for field in fields(self)]
        problems += [
            f"{key} of {name} is not a setting; docs/settings.md lists them." for key in own if key not in known
        ]
        if name == self.name:
            problems.append(f"name = {name} must be another than the stack's.")
        if problems:
            raise InvalidSettings(problems)
        return Settings(**{**shared, **own, "name": name})

    @property
    def interface_endpoints(self) -> tuple[str, ...]:
        """The interface endpoints that the stack makes, by the service's name; each is in every zone."""
        if not self.create_endpoints:
            return ()
        own = tuple(self._endpoints_of_its_own())
        return (*own, *(name for name in self.extra_endpoints if name not in (*own, *network.GATEWAY_ENDPOINTS)))

    @property
    def gateway_endpoints(self) -> tuple[str, ...]:
        """The gateway endpoints that the stack makes: S3's, for the image's layers, and what the service calls."""
        if not self.create_endpoints:
            return ()
        layers = ("s3",) if self._pulls_from_ecr else ()
        return tuple(name for name in network.GATEWAY_ENDPOINTS if name in (*layers, *self.extra_endpoints))

    @property
    def _pulls_from_ecr(self) -> bool:
        return bool(self.repository_name or self.further_repository_arns)

    def _endpoints_of_its_own(self) -> Iterator[str]:
        # To pull images, unless they are elsewhere, to log, and for the Service Connect proxy.
        if self._pulls_from_ecr:
            yield from ("ecr.api", "ecr.dkr")
        yield from ("logs", "ecs-agent")
        if self.region in network.NEW_REGIONS:
            yield from ("ecs", "ecs-telemetry")
        if self.execute_command:
            yield "ssmmessages"
        yield from (service for service in SECRETS if self.secrets_of(service))

    def _broken_rules(self) -> Iterator[str]:
        for field in fields(self):
            value, rule = getattr(self, field.name), field.metadata["rule"]
            if not rule.holds(value):
                yield f"{field.name} = {written(value)} must be {rule.says}."

    def _conflicts(self) -> Iterator[str]:
        for slice_ in (network, service, gateway, operations, load):
            yield from slice_.conflicts(self)
        way_out = not self.create_endpoints or (self.vpc_id and any(entry.endswith(":443") for entry in self.egress))
        images = {f"sidecars: {sidecar.name}: image": sidecar.image for sidecar in self.sidecars}
        for where, image in {"image_uri": self.image_uri, **images}.items():
            if "/" in image and not self._repository(image)[1] and not way_out:
                yield (
                    f"{where} = {image} must be in ECR in region = {self.region}:"
                    " the tasks have no way to another registry."
                )
        # The subnets are a sixteenth of the range, and a load balancer's are /27 or larger.
        # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html
        if self.comparison and not self.vpc_id and self.vpc_cidr.endswith("/24"):
            yield (
                f"comparison = true needs a vpc_cidr of /23 or larger, not {self.vpc_cidr}: each subnet has a sixteenth"
                " of it, and a load balancer's needs 32 addresses."
            )
        extra = self.extra_endpoints
        # Those of the secrets serve the service as well, if it names them.
        own = {*self._endpoints_of_its_own()}.difference(SECRETS)
        if len(set(extra)) != len(extra) or own.intersection(extra):
            yield f"extra_endpoints = {written(extra)} must name each once, and none that the stack makes."


def written(value: object) -> str:
    """*value* as it is written in cdktf.json or the environment, on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ",".join(f"{key}={entry}" for key, entry in value.items())
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value)
