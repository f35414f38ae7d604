"""Records -> the structures of the ECS API, with times as seconds since the Unix epoch (the JSON protocol's form)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twin.aws.ecs.model import Cluster, Container, Deployment, Ecs, Service, Task, TaskDefinition, TaskStatus

__all__ = [
    "cluster",
    "counts",
    "launch_type",
    "platform_version",
    "revision_summary",
    "service",
    "service_deployment_arn",
    "service_revision_arn",
    "task",
    "task_definition",
]

Json = dict[str, Any]

_PENDING = (TaskStatus.PROVISIONING, TaskStatus.PENDING, TaskStatus.ACTIVATING)
_DEFAULT_SETTINGS = [{"name": "containerInsights", "value": "disabled"}]
_LATEST = "1.4.0"  # Fargate's platform version


def cluster(record: Cluster, ecs: Ecs, include: Iterable[str] = ("CONFIGURATIONS", "SETTINGS", "TAGS")) -> Json:
    """`Cluster`; *include* as DescribeClusters has it."""
    services = [s for s in ecs.services.values() if s.cluster is record and s.status == "ACTIVE"]
    tasks = [t for t in ecs.tasks.values() if t.cluster is record]
    return _given(
        clusterArn=record.arn,
        clusterName=record.name,
        status=record.status,
        registeredContainerInstancesCount=0,
        runningTasksCount=sum(t.last_status is TaskStatus.RUNNING for t in tasks),
        pendingTasksCount=sum(t.last_status in _PENDING for t in tasks),
        activeServicesCount=len(services),
        statistics=[],
        tags=ecs.tags.get(record.arn, []) if "TAGS" in include else [],
        settings=(record.settings or _DEFAULT_SETTINGS) if "SETTINGS" in include else [],
        configuration=record.configuration if "CONFIGURATIONS" in include else None,
        serviceConnectDefaults=record.service_connect_defaults,
        capacityProviders=record.capacity_providers,
        defaultCapacityProviderStrategy=record.default_capacity_provider_strategy,
    )


def task_definition(record: TaskDefinition) -> Json:
    """`TaskDefinition`."""
    return _given(
        **{name: value for name, value in record.request.items() if name != "tags"},
        taskDefinitionArn=record.arn,
        revision=record.revision,
        status=record.status,
        compatibilities=["EC2", "FARGATE"],
        requiresAttributes=[],
        registeredAt=record.registered_at,
        deregisteredAt=record.deregistered_at,
        deleteRequestedAt=record.delete_requested_at,
    )


def service(record: Service, ecs: Ecs, *, tags: bool) -> Json:
    """`Service`, with its tags or without."""
    tasks = ecs.tasks_of(record)
    request = record.request
    return _given(
        serviceArn=record.arn,
        serviceName=record.name,
        clusterArn=record.cluster.arn,
        loadBalancers=request.get("loadBalancers", []),
        serviceRegistries=request.get("serviceRegistries", []),
        status=record.status,
        desiredCount=record.desired_count,
        **counts(tasks),
        launchType=launch_type(request),
        capacityProviderStrategy=request.get("capacityProviderStrategy"),
        platformVersion=request.get("platformVersion", "LATEST"),
        platformFamily="Linux",
        taskDefinition=record.primary.task_definition.arn,
        deploymentConfiguration=record.deployment_configuration,
        deployments=[_deployment(d, record, tasks) for d in record.deployments],
        events=[{"id": e.id, "createdAt": e.created_at, "message": e.message} for e in record.events],
        roleArn=request.get("role"),
        createdAt=record.created_at,
        placementConstraints=[],
        placementStrategy=[],
        networkConfiguration=record.primary.network_configuration,
        healthCheckGracePeriodSeconds=request.get("healthCheckGracePeriodSeconds"),
        schedulingStrategy="REPLICA",
        deploymentController={"type": "ECS"},
        enableECSManagedTags=request.get("enableECSManagedTags", False),
        propagateTags=request.get("propagateTags", "NONE"),
        enableExecuteCommand=request.get("enableExecuteCommand", False),
        availabilityZoneRebalancing=request["availabilityZoneRebalancing"],
        currentServiceDeployment=service_deployment_arn(_began(record), record),
        currentServiceRevisions=[revision_summary(d, record, tasks) for d in record.deployments],
        tags=ecs.tags.get(record.arn, []) if tags else None,
    )


def _deployment(record: Deployment, parent: Service, tasks: Iterable[Task]) -> Json:
    """`Deployment`."""
    own = [t for t in tasks if t.deployment is record]
    return _given(
        id=record.id,
        status=record.status,
        taskDefinition=record.task_definition.arn,
        desiredCount=parent.desired_count if record is parent.primary else 0,
        **counts(own),
        failedTasks=record.failed_tasks,
        createdAt=record.created_at,
        updatedAt=record.updated_at,
        launchType=launch_type(record.request),
        capacityProviderStrategy=record.request.get("capacityProviderStrategy"),
        platformVersion=platform_version(record.request),
        platformFamily="Linux",
        networkConfiguration=record.network_configuration,
        rolloutState=record.rollout_state.value,
        rolloutStateReason=record.rollout_state_reason or f"ECS deployment {record.id} in progress.",
        serviceConnectConfiguration=record.service_connect,
        serviceConnectResources=record.service_connect_resources or None,
        volumeConfigurations=record.request.get("volumeConfigurations"),
        vpcLatticeConfigurations=record.request.get("vpcLatticeConfigurations"),
    )


def _began(service: Service) -> Deployment:
    """The deployment of the service deployment under way, or the last: a rollback is part of the one that failed."""
    primary = service.primary
    return next((d for d in service.history if d.rolled_back_by is primary), primary)


def service_deployment_arn(deployment: Deployment, service: Service) -> str:
    """The ARN of the service deployment that began with *deployment*."""
    return f"{service.arn.replace(':service/', ':service-deployment/')}/{deployment.service_deployment_id}"


def service_revision_arn(deployment: Deployment, service: Service) -> str:
    """The ARN of the service revision that *deployment* deploys."""
    # Terraform finds the service deployment of a deployment by the number that both contain.
    return f"{service.arn.replace(':service/', ':service-revision/')}/{deployment.revision}"


def revision_summary(deployment: Deployment, service: Service, tasks: Iterable[Task]) -> Json:
    """`ServiceCurrentRevisionSummary`, and `ServiceRevisionSummary` as far as it is the same."""
    own = counts(task for task in tasks if task.deployment is deployment)
    return {
        "arn": service_revision_arn(deployment, service),
        "requestedTaskCount": service.desired_count if deployment is service.primary else 0,
        "runningTaskCount": own["runningCount"],
        "pendingTaskCount": own["pendingCount"],
    }


def task(record: Task, ecs: Ecs, *, tags: bool) -> Json:
    """`Task`, with its tags or without."""
    request = record.deployment.task_definition.request
    steps = record.steps
    return _given(
        taskArn=record.arn,
        clusterArn=record.cluster.arn,
        taskDefinitionArn=record.deployment.task_definition.arn,
        group=record.group,
        startedBy=record.deployment.id or None,
        launchType="FARGATE",  # also of a task that a capacity provider strategy placed
        platformVersion=platform_version(record.deployment.request),
        platformFamily="Linux",
        availabilityZone=record.zone,
        attachments=[_network_interface(record)],
        attributes=[{"name": "ecs.cpu-architecture", "value": _architecture(request)}],
        connectivity="CONNECTED",
        connectivityAt=steps.get("PENDING"),
        containers=[_container(c, record) for c in record.containers],
        cpu=request.get("cpu"),
        memory=request.get("memory"),
        createdAt=record.created_at,
        pullStartedAt=steps.get("PENDING"),
        pullStoppedAt=steps.get("PENDING"),
        startedAt=steps.get("RUNNING"),
        stoppingAt=steps.get("DEACTIVATING"),
        executionStoppedAt=steps.get("application stopped"),
        stoppedAt=steps.get("STOPPED"),
        lastStatus=record.last_status.value,
        desiredStatus=record.desired_status.value,
        healthStatus=record.health.value,
        stopCode=record.stop_code.value if record.stop_code else None,
        stoppedReason=record.stopped_reason,
        enableExecuteCommand=record.deployment.request.get("enableExecuteCommand", False),
        overrides=record.overrides,
        tags=ecs.tags.get(record.arn, []) if tags else [],
        version=record.version,
        ephemeralStorage={"sizeInGiB": 20},
    )


def _container(record: Container, parent: Task) -> Json:
    is_run = record.is_run or record is parent.container
    is_held = record.name in parent.held_by and not {"ACTIVATING", "RUNNING", "DEACTIVATING"} & parent.steps.keys()
    followed = record if is_run else parent.container
    return _given(
        containerArn=record.arn,
        taskArn=parent.arn,
        name=record.name,
        image=record.image,
        runtimeId=record.runtime_id,
        # One that is not run goes the way of the main one, or waits for it.
        lastStatus="PENDING" if is_held and not is_run else followed.last_status,
        exitCode=record.exit_code,
        reason=record.reason if is_run else "This container is not run by the twin.",
        networkBindings=[],
        networkInterfaces=[
            {"attachmentId": _attachment_id(parent), "privateIpv4Address": parent.private_address},
        ],
        healthStatus=record.health.value,
    )


def _network_interface(record: Task) -> Json:
    stopped = record.last_status is TaskStatus.STOPPED
    details = {
        "subnetId": record.subnet_id,
        "networkInterfaceId": f"eni-{record.id[:17]}",
        "privateDnsName": record.host_name,
        "privateIPv4Address": record.private_address,
    }
    return {
        "id": _attachment_id(record),
        "type": "ElasticNetworkInterface",
        "status": "DELETED" if stopped else "ATTACHED",
        "details": [{"name": name, "value": value} for name, value in details.items()],
    }


def _attachment_id(record: Task) -> str:
    i = record.id
    return f"{i[:8]}-{i[8:12]}-{i[12:16]}-{i[16:20]}-{i[20:]}"


def counts(tasks: Iterable[Task]) -> Json:
    """How many of *tasks* are running, and how many on their way there."""
    statuses = [t.last_status for t in tasks]
    return {
        "runningCount": statuses.count(TaskStatus.RUNNING),
        "pendingCount": sum(status in _PENDING for status in statuses),
    }


def launch_type(request: Json) -> str | None:
    """The launch type of a service; None if it has a capacity provider strategy in its place."""
    return None if request.get("capacityProviderStrategy") else str(request.get("launchType", "FARGATE"))


def platform_version(request: Json) -> str:
    """The platform version on which the tasks of a service run."""
    given = str(request.get("platformVersion", "LATEST"))
    return _LATEST if given == "LATEST" else given


def _architecture(request: Json) -> str:
    wanted = (request.get("runtimePlatform") or {}).get("cpuArchitecture", "X86_64")
    return "arm64" if wanted == "ARM64" else "x86_64"


def _given(**members: Any) -> Json:
    """The members that have a value: the API leaves out what is not there."""
    return {name: value for name, value in members.items() if value is not None}
