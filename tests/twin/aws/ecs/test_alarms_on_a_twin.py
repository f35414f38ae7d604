"""Deployment alarms on a real twin: states that are set, and the state that 5xx answers of the gateway make."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.twin.running import RunningTwin, TwinFactory, wait_until
from twin.remote import ask

NAMES = {"cluster": "serviceconnect", "service": "serviceconnect"}
STACK_ALARM = "serviceconnect-5xx"
QUICK_ALARM = "any-5xx"


@pytest.fixture(scope="module")
def twin(start_twin: TwinFactory) -> RunningTwin:
    return start_twin("--proxy-drain", "0", "--discovery-ttl", "0", "--alarm-bake", "600")


def deployment(twin: RunningTwin) -> Any:
    """The newest service deployment."""
    ecs = twin.client("ecs")
    arns = [each["serviceDeploymentArn"] for each in ecs.list_service_deployments(**NAMES)["serviceDeployments"]]
    return ecs.describe_service_deployments(serviceDeploymentArns=arns[:1])["serviceDeployments"][0]


def completes(twin: RunningTwin) -> None:
    """Whatever is under way is complete without a bake time."""
    ask(twin.running, "set", assignments=["alarm-bake=0"])
    wait_until(lambda: deployment(twin)["status"] in ("SUCCESSFUL", "ROLLBACK_SUCCESSFUL"), "it is complete", 60)
    ask(twin.running, "set", assignments=["alarm-bake=600"])


def deploy(twin: RunningTwin, **configuration: Any) -> str:
    """A new revision of the same; the ARN of the one before it."""
    ecs = twin.client("ecs")
    (service,) = ecs.describe_services(cluster=NAMES["cluster"], services=[NAMES["service"]])["services"]
    before = str(service["taskDefinition"])
    definition = ecs.describe_task_definition(taskDefinition=before)["taskDefinition"]
    named = ("family", "networkMode", "requiresCompatibilities", "cpu", "memory", "containerDefinitions")
    new = ecs.register_task_definition(**{name: definition[name] for name in named})["taskDefinition"]
    ecs.update_service(**NAMES, taskDefinition=new["taskDefinitionArn"], **configuration)
    return before


def rolled_back_to(twin: RunningTwin, definition: str) -> bool:
    (service,) = twin.client("ecs").describe_services(cluster=NAMES["cluster"], services=[NAMES["service"]])["services"]
    return bool(service["taskDefinition"] == definition)


def test_the_alarm_of_the_stack_is_there_and_its_state_rolls_a_deployment_back(twin: RunningTwin) -> None:
    completes(twin)
    cloudwatch = twin.client("cloudwatch")
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[STACK_ALARM])["MetricAlarms"]
    assert [query.get("Expression") for query in alarm["Metrics"]] == [None, None, "100 * errors / requests"]
    before = deploy(twin)
    assert deployment(twin)["alarms"]["status"] == "MONITORING"

    cloudwatch.set_alarm_state(AlarmName=STACK_ALARM, StateValue="ALARM", StateReason="by hand")
    wait_until(lambda: rolled_back_to(twin, before), "it is rolled back", 60)
    told = deployment(twin)
    assert (told["alarms"]["status"], told["alarms"]["triggeredAlarmNames"]) == ("TRIGGERED", [STACK_ALARM])
    completes(twin)


@pytest.mark.timeout(300)
def test_answers_of_the_gateway_make_an_alarm_fire_and_roll_a_deployment_back(twin: RunningTwin) -> None:
    completes(twin)
    gateway, cloudwatch = twin.client("apigatewayv2"), twin.client("cloudwatch")
    api = gateway.get_apis()["Items"][0]["ApiId"]
    cloudwatch.put_metric_alarm(
        AlarmName=QUICK_ALARM,
        Namespace="AWS/ApiGateway",
        MetricName="5xx",
        Dimensions=[{"Name": "ApiId", "Value": api}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        ComparisonOperator="GreaterThanThreshold",
        Threshold=0,
        TreatMissingData="notBreaching",
    )
    alarms = {"alarmNames": [QUICK_ALARM], "enable": True, "rollback": True}
    before = deploy(twin, deploymentConfiguration={"alarms": alarms})

    def state() -> Any:
        return cloudwatch.describe_alarms(AlarmNames=[QUICK_ALARM])["MetricAlarms"][0]["StateValue"]

    wait_until(lambda: state() == "OK", "it is computed", 20)
    with requests(no_instances(twin, api)):
        wait_until(lambda: rolled_back_to(twin, before), "it is rolled back", 150)
    assert state() == "ALARM"
    assert deployment(twin)["alarms"]["triggeredAlarmNames"] == [QUICK_ALARM]


def no_instances(twin: RunningTwin, api: str) -> str:
    """The URL of a route whose Cloud Map service has no instance: it is answered with 503."""
    cloud_map, gateway = twin.client("servicediscovery"), twin.client("apigatewayv2")
    (namespace,) = [each["Id"] for each in cloud_map.list_namespaces()["Namespaces"]]
    empty = cloud_map.create_service(Name="empty", NamespaceId=namespace)["Service"]["Arn"]
    kept = ("IntegrationType", "IntegrationMethod", "ConnectionType", "ConnectionId", "PayloadFormatVersion")
    like = gateway.get_integrations(ApiId=api)["Items"][0]
    integration = gateway.create_integration(ApiId=api, IntegrationUri=empty, **{name: like[name] for name in kept})[
        "IntegrationId"
    ]
    gateway.create_route(ApiId=api, RouteKey="GET /empty", Target=f"integrations/{integration}")
    url = f"{twin.gateway_url}/empty"
    wait_until(lambda: httpx.get(url).status_code == 503, "the route answers 503", 20)
    return url


@contextmanager
def requests(url: str, pause: float = 0.5) -> Iterator[None]:
    """Ask *url* again and again."""
    over = threading.Event()

    def go_on(get: Callable[[str], httpx.Response]) -> None:
        while not over.wait(pause):
            get(url)

    thread = threading.Thread(target=go_on, args=(httpx.get,))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
