"""What runs: the image, the task and the service that keeps it running."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from serviceconnect.settings.common import CommonSettings
from serviceconnect.settings.field import Rule, between, each, matches, one_of, optional, setting
from serviceconnect.settings.sidecar import Sidecar

__all__ = ["FARGATE_MEMORY", "LOG_RETENTION_DAYS", "ServiceSettings", "blocked_deployment", "conflicts"]

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size
FARGATE_MEMORY: Mapping[int, tuple[int, ...]] = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4096 + 1, 1024)),
    1024: tuple(range(2048, 8192 + 1, 1024)),
    2048: tuple(range(4096, 16384 + 1, 1024)),
    4096: tuple(range(8192, 30720 + 1, 1024)),
    8192: tuple(range(16384, 61440 + 1, 4096)),
    16384: tuple(range(32768, 122880 + 1, 8192)),
}

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180),
    *(365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)

# The container's environment that other settings decide.
RESERVED = {"PORT": "container_port", "DRAIN_SECONDS": "drain_seconds"}

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_IMAGE = r"[\w.-]+(:\d+)?(/[\w.-]+)+(:[\w.-]+|@sha256:[0-9a-f]{64})"
_ECR_IMAGE = r"\d{12}\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/[a-z0-9._/-]+(:[\w.-]+|@sha256:[0-9a-f]{64})"
_SECRET = r"arn:aws:(secretsmanager:[a-z0-9-]+:\d{12}:secret:[^\s{}]+|ssm:[a-z0-9-]+:\d{12}:parameter/[^\s{}]+)"
_POLICY = r"arn:aws:iam::(aws|\d{12}):policy/[\w+=,.@/-]+"


def _are_sidecars(entries: Sequence[Sidecar]) -> bool:
    names = [entry.name for entry in entries]
    return (
        len(set(names)) == len(names)
        and all(re.fullmatch(r"(?!(app|hold)$)[\w-]{1,255}", name) for name in names)
        and all(re.fullmatch(_IMAGE, entry.image) for entry in entries)
    )


@dataclass(frozen=True, kw_only=True)
class ServiceSettings(CommonSettings):
    """One container and its Service Connect proxy in each task."""

    image_uri: str = setting(
        "",
        "Image to run, with its tag or digest; empty: built from the Dockerfile and pushed by the deployment.",
        optional(matches(_IMAGE, "an image with its tag or digest")),
    )
    command: tuple[str, ...] = setting(
        (),
        "Command of the container, a word an entry; empty: the image's own.",
        each(r".+", "words that are not empty"),
    )
    sidecars: tuple[Sidecar, ...] = setting(
        (),
        "Containers beside the service's in each task, as JSON: `name` and `image`; `command`, `environment`, `ports`,"
        " `user`, `essential` on demand. They start before it and stop after it.",
        Rule(
            "containers of different names of letters, digits, - and _, none of them app or hold, each with its image's"
            " tag or digest",
            lambda entries: _are_sidecars(entries),
        ),
    )
    fargate_spot: int = setting(
        0,
        "Percent of the tasks on Fargate Spot, which AWS may stop with two minutes' notice. From 0 to more, or back,"
        " the ECS service is replaced.",
        between(0, 100),
    )
    desired_count: int = setting(3, "Number of tasks.", between(1, 1000))
    cpu: int = setting(256, "CPU units of a task, the proxy's included.", one_of(FARGATE_MEMORY))
    memory: int = setting(
        512,
        "MiB of memory of a task, the proxy's included.",
        Rule("one that Fargate offers for the cpu", lambda _: True),  # see conflicts()
    )
    architecture: str = setting(
        "X86_64", "Processor of the tasks; ARM64 costs a fifth less.", one_of(("X86_64", "ARM64"))
    )
    container_port: int = setting(8080, "Port that the container listens on.", between(1, 65535))
    container_user: str = setting(
        "10001:10001",
        "User and group of the container, by number; empty: as the image says.",
        optional(matches(r"[1-9]\d*(:\d+)?", "a user's number that is not root's, such as 10001:10001")),
    )
    writable_paths: tuple[str, ...] = setting(
        (),
        "Folders that are writable, for an image that needs them and declares each as a VOLUME, with its owner.",
        each(r"/[^\s{}]+", "absolute paths"),
    )
    health_check: str = setting(
        "",
        "Command of the container's health check; empty: BusyBox wget of `/ready`. ECS ignores the Dockerfile's.",
    )
    # The bounds are ECS's; it asks nothing of interval and timeout together.
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
    health_check_interval: int = setting(10, "Seconds between two health checks.", between(5, 300))
    health_check_timeout: int = setting(5, "Seconds that a health check may take.", between(2, 60))
    health_check_retries: int = setting(
        3, "Health checks that fail one after the other until ECS replaces the task.", between(1, 10)
    )
    health_check_start_period: int = setting(
        10,
        "Seconds after its start for which a container may fail health checks, the load balancer's too: what a slow"
        " starter needs.",
        between(0, 300),
    )
    register_when_healthy: bool = setting(
        False,
        "Whether a task is registered in Cloud Map, and runs for ECS, only once its container is HEALTHY: a second"
        " container that exits at once waits for it (`dependsOn`). For services that start slowly.",
    )
    # Both as docs/findings.md has it: the gateway sends requests to a task that has left until its cache expires, and
    # the longest request takes 30 s more.
    stop_timeout: int = setting(60, "Seconds between SIGTERM and SIGKILL.", between(2, 120))
    drain_seconds: int = setting(
        20, "Seconds for which the service goes on serving after SIGTERM (`DRAIN_SECONDS`).", between(0, 119)
    )
    request_timeout: int = setting(
        30,
        "Seconds that an answer may take at API Gateway; Service Connect's proxy (15 by default) gives it one more.",
        between(1, 30, "(API Gateway's most)"),
    )
    environment: Mapping[str, str] = setting({}, "Environment of the container.")
    secrets: Mapping[str, str] = setting(
        {},
        "Environment of the container from Secrets Manager and SSM, as name and ARN.",
        each(_SECRET, "names with ARNs of secrets or parameters"),
    )
    secrets_kms_key_arns: tuple[str, ...] = setting(
        (),
        "KMS keys of yours by which `secrets` are encrypted; empty: they are by AWS's own keys.",
        each(r"arn:aws:kms:[a-z0-9-]+:\d{12}:key/[\w-]+", "ARNs of KMS keys"),
    )
    task_policy_arns: tuple[str, ...] = setting(
        (),
        "Managed policies of the task's role, for what the service itself calls; empty: it may do nothing.",
        each(_POLICY, "ARNs of managed policies"),
    )
    permissions_boundary: str = setting(
        "",
        "Managed policy that bounds all roles of the stack; empty: none.",
        optional(matches(_POLICY, "the ARN of a managed policy")),
    )
    deployment_minimum_percent: int = setting(
        100, "Healthy tasks that a deployment keeps, in percent of the desired count.", between(0, 100)
    )
    deployment_maximum_percent: int = setting(
        200, "Tasks that a deployment may reach, in percent of the desired count.", between(100, 200)
    )
    deployment_alarm: bool = setting(
        True,
        "Whether ECS rolls a deployment back when the alarm `<name>-5xx` fires: more than 1 % of the answers are 5xx,"
        " in 3 of 5 minutes. ECS watches on for some minutes after the new tasks run, which make a deployment longer.",
    )
    availability_zone_rebalancing: bool = setting(
        True,
        "Whether ECS evens out the zones after one was down or short of room: it starts tasks, then stops as many.",
    )
    log_retention_days: int = setting(30, "Days for which logs are kept.", one_of(LOG_RETENTION_DAYS))
    execute_command: bool = setting(False, "ECS Exec. It needs a writable root file system, which tasks then have.")
    container_insights: str = setting(
        "disabled", "CloudWatch Container Insights, charged by the metric.", one_of(("enhanced", "enabled", "disabled"))
    )

    @property
    def discovery_name(self) -> str:
        """Name of the service that ECS makes in Cloud Map."""
        return self.name

    @property
    def health_check_command(self) -> str:
        """The container's health check; Alpine has BusyBox wget and no curl.

        Not of `localhost`, which may be ::1 first, where a service that listens on 0.0.0.0 is not.
        """
        return self.health_check or f"wget -q --spider http://127.0.0.1:{self.container_port}/ready || exit 1"

    @property
    def log_group_name(self) -> str:
        """Log group of the service's own lines."""
        return f"/ecs/{self.name}"

    @property
    def repository_name(self) -> str:
        """The ECR repository of the image; empty if the image is not in this Region's ECR."""
        return self._repository(self.image_uri)[1] if self.image_uri else self.name

    @property
    def further_repository_arns(self) -> tuple[str, ...]:
        """The ECR repositories of this Region that tasks pull sidecars from."""
        found = (self._repository(sidecar.image) for sidecar in self.sidecars)
        arns = (f"arn:aws:ecr:{self.region}:{account}:repository/{name}" for account, name in found if name)
        return tuple(dict.fromkeys(arns))

    def _repository(self, image: str) -> tuple[str, str]:
        """Account and name of *image*'s repository; empty if it is not in this Region's ECR."""
        in_ecr = re.fullmatch(_ECR_IMAGE, image)
        if in_ecr is None or in_ecr["region"] != self.region:
            return "", ""
        return image[:12], re.split(r"[:@]", image.partition("/")[2])[0]

    def secrets_of(self, service: str) -> list[str]:
        """ARNs of the secrets that *service*, `secretsmanager` or `ssm`, keeps, without the key within a secret."""
        arns = [arn.split(":") for arn in self.secrets.values()]
        return sorted({":".join(arn[:7]) for arn in arns if arn[2:3] == [service]})


def blocked_deployment(settings: ServiceSettings, name: str, count: int) -> Iterator[str]:
    """A sentence if a deployment of *count* tasks (the setting *name*) can neither start nor stop a task.

    ECS rounds the maximum down and the minimum up. CreateService refuses 100 with 100; with other percents an event
    says "was unable to stop or start tasks during a deployment because of the service deployment configuration".
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
    """
    low, high = settings.deployment_minimum_percent, settings.deployment_maximum_percent
    step = -(-100 // max(1, count))  # the percents that make a whole task
    if 100 - step < low and high < 100 + step:
        yield (
            f"deployment_minimum_percent = {low} with deployment_maximum_percent = {high} must leave room for a task"
            f" more or less than {name} = {count}, or no deployment could start or stop one: make the maximum"
            f" {100 + step} or more, or the minimum {100 - step} or less."
        )


def conflicts(settings: ServiceSettings) -> Iterator[str]:
    """What does not fit together, a sentence each."""
    sizes = FARGATE_MEMORY.get(settings.cpu)
    if sizes and settings.memory not in sizes:
        step = f" in steps of {sizes[1] - sizes[0]}" if len(sizes) > 3 else ""
        offered = f"{sizes[0]} to {sizes[-1]}{step}" if step else ", ".join(map(str, sizes))
        yield f"memory = {settings.memory} must be what Fargate offers for cpu = {settings.cpu}: {offered}."
    if settings.drain_seconds >= settings.stop_timeout:
        yield (
            f"drain_seconds = {settings.drain_seconds} must be below stop_timeout = {settings.stop_timeout},"
            " for then ECS kills the container."
        )
    yield from blocked_deployment(settings, "desired_count", settings.desired_count)
    if settings.availability_zone_rebalancing and settings.deployment_maximum_percent == 100:
        yield (
            "availability_zone_rebalancing = true with deployment_maximum_percent = 100 must leave room"
            " for a task more: raise it, or turn the rebalancing off."
        )
    ports = [port for sidecar in settings.sidecars for port in sidecar.ports]
    for port in dict.fromkeys(ports):
        if not 1 <= port <= 65535 or port == settings.container_port or ports.count(port) > 1:
            yield (
                f"sidecars: port {port} must be from 1 to 65535, and of one container alone: a task's containers share"
                f" their network, with the service's at container_port = {settings.container_port}."
            )
    for name in sorted({*settings.environment, *settings.secrets}):
        if name in RESERVED:
            yield f"environment and secrets must not set {name}: it comes from {RESERVED[name]}."
        elif not _VARIABLE.fullmatch(name):
            yield f"environment and secrets must have names of letters, digits and underscores, not {name!r}."
    for name in sorted(set(settings.environment) & set(settings.secrets)):
        yield f"{name} must be in environment or in secrets, not in both."
    if settings.secrets_kms_key_arns and not settings.secrets:
        yield f"secrets_kms_key_arns = {','.join(settings.secrets_kms_key_arns)} needs secrets, which the keys decrypt."
    for arn in settings.secrets_kms_key_arns:
        if arn.split(":")[3:4] not in ([settings.region], []):
            yield f"secrets_kms_key_arns: {arn} must be in region = {settings.region}."
    if len(set(settings.task_policy_arns)) != len(settings.task_policy_arns):
        yield f"task_policy_arns = {','.join(settings.task_policy_arns)} must name each once."
    for name, arn in settings.secrets.items():
        if arn.split(":")[3:4] not in ([settings.region], []):
            yield f"secrets: {name} = {arn} must be in region = {settings.region}."
