"""The target that a twin serves without an outputs file: asked of its AWS endpoint, as any client of AWS would.

An HTTP API leads to an ECS service where an integration of one of its routes names the Cloud Map service in which ECS
registers the tasks, or a listener of a load balancer with the service's target group. A service that no API leads to is
reached through its load balancer.
"""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from lab.errors import BadInput
from lab.runner.service import Aws, discovery_ids
from lab.runner.target import Incomplete, Target, is_state, read_target, started
from load.traffic.settings import AUTHORIZATIONS

_DESCRIBED = 10  # services that DescribeServices takes
_HTTP = 80
_URL = re.compile("(https?:)/+(.*)", re.IGNORECASE)  # a path has but one of its slashes


@dataclass(frozen=True)
class Service:
    """An ECS service, by the names of its cluster and itself."""

    cluster: str
    name: str

    def __str__(self) -> str:
        return f"{self.cluster}/{self.name}"


@dataclass(frozen=True)
class Way:
    """Where clients reach *service*: at *url*, which *front* serves, with an *authorization* or none ("").

    `cloud_map`: the id of the Cloud Map service by which it is found, or "".
    """

    service: Service
    front: str
    url: str
    authorization: str = ""
    cloud_map: str = ""


def find_target(path: Path, service: str | None, say: Callable[[str], object]) -> Target:
    """The target of the outputs file *path*, or what the twin whose state folder that file is in serves.

    The twin is asked where the file is absent or lacks an output, or a *service* (NAME or CLUSTER/NAME) is given; what
    it answered is told to *say*, in a line.

    Raises BadInput: the path is a URL; there is neither, or not the one service and URL that could be meant. Raises
    Missing: the twin does not answer, or ended while it was starting, which is waited for.
    """
    if url := _URL.match(str(path)):
        raise BadInput(
            f"--target {url[1]}//{url[2]} is a URL, and --target takes an outputs file, which names the service and "
            "where ECS is too: leave it out beside `twin up`, or name the file that `make deploy` or `terraform output "
            "-json` wrote."
        )
    state = path.parent
    if not is_state(state, path):
        if service is not None:
            raise BadInput(f"--service {service} is for a twin, and {state} is no state folder of one: leave it out.")
        return read_target(path)
    running = started(state, say)
    if service is None:
        with contextlib.suppress(Incomplete):
            return read_target(path)
    asked = Target(
        file=path, stack=str(state), gateway_url="", region=running.region, aws_endpoint_url=running.aws_endpoint_url
    )
    aws = Aws(asked)
    with aws.asking():
        found = _Deployed(aws)
        way = _only(state, found, service)
        names = found.names(way.cloud_map)
    say(f"target: service {way.service} at {way.url} ({way.front}), as the twin in {state} has it")
    of_it = {"cluster_name": way.service.cluster, "service_name": way.service.name}
    return asked.model_copy(update={**of_it, **names, "gateway_url": way.url, "authorization": way.authorization})


def _only(state: Path, found: _Deployed, wanted: str | None) -> Way:
    """The one way to the one service, or to that which is *wanted*. Raises BadInput: there are others, or none."""
    there = ", ".join(map(str, found.services)) or "none"
    ways = found.ways()
    if wanted is not None:
        if not (named := [each for each in found.services if wanted in (each.name, str(each))]):
            raise BadInput(f"--service {wanted} is no service of the twin in {state}: it has {there}.")
        ways = [way for way in ways if way.service in named]
    # An API may find the tasks of a service in several services of Cloud Map.
    ways = list({(way.service, way.url): way for way in ways}.values())
    services = dict.fromkeys(way.service for way in ways)
    if len(services) > 1:
        choices = " or ".join(f"--service {service}" for service in services)
        raise BadInput(f"The twin in {state} serves {len(services)} services: choose with {choices}.")
    if not ways:
        which = f"--service {wanted}" if wanted is not None else "any service"
        raise BadInput(
            f"The twin in {state} has no HTTP API and no load balancer that leads to {which} (ECS services: {there}): "
            'deploy one to it (`eval "$(twin env --terraform)"`, `terraform apply`), or start it without --empty. '
            "`make deploy` deploys this project's stack, not yours."
        )
    if len(ways) > 1:
        urls = ", ".join(f"{way.url} ({way.front})" for way in ways)
        raise BadInput(
            f"The service {ways[0].service} is reached in {len(ways)} ways: {urls}. Name one of them as gateway_url in "
            "an outputs file, with --target: docs/twin.md has its form."
        )
    return ways[0]


class _Deployed:
    """What is on the endpoint of *aws*; the calls raise as boto3's do."""

    def __init__(self, aws: Aws) -> None:
        self._clients = {name: aws.client(name) for name in ("ecs", "apigatewayv2", "elbv2", "servicediscovery")}
        self.services: list[Service] = []
        self._registering: dict[str, list[Service]] = defaultdict(list)  # by the id of the Cloud Map service
        self._behind: dict[str, list[Service]] = defaultdict(list)  # by the ARN of the target group
        for cluster in self._pages("ecs", "list_clusters", "clusterArns"):
            arns = list(self._pages("ecs", "list_services", "serviceArns", cluster=cluster))
            for start in range(0, len(arns), _DESCRIBED):
                described = self._clients["ecs"].describe_services(
                    cluster=cluster, services=arns[start : start + _DESCRIBED]
                )
                for each in described["services"]:
                    if each["status"] == "ACTIVE":
                        self._add(each)

    def _add(self, described: dict[str, Any]) -> None:
        service = Service(described["clusterArn"].rsplit("/", 1)[-1], described["serviceName"])
        self.services.append(service)
        for identifier in discovery_ids(described):
            self._registering[identifier].append(service)
        for group in {each.get("targetGroupArn", "") for each in described.get("loadBalancers", [])}:
            self._behind[group].append(service)

    def ways(self) -> list[Way]:
        """Those of the HTTP APIs, and by load balancers to the services that no API leads to."""
        by_api = list(dict.fromkeys(way for api in self._pages("apigatewayv2", "get_apis") for way in self._of(api)))
        served = {way.service for way in by_api}
        return by_api + [way for way in self._by_load_balancer() if way.service not in served]

    def _of(self, api: dict[str, Any]) -> Iterator[Way]:
        identifier = api["ApiId"]
        uris = {
            f"integrations/{each['IntegrationId']}": each.get("IntegrationUri", "")
            for each in self._pages("apigatewayv2", "get_integrations", ApiId=identifier)
        }
        stages = [each["StageName"] for each in self._pages("apigatewayv2", "get_stages", ApiId=identifier)]
        prefixes = [""] if "$default" in stages else [f"/{name}" for name in stages]
        leads: dict[tuple[Service, str], set[str]] = defaultdict(set)
        for route in self._pages("apigatewayv2", "get_routes", ApiId=identifier):
            for reached in self._reached(uris.get(route.get("Target", ""), "")):
                leads[reached].add(route.get("AuthorizationType", "NONE"))
        for (service, cloud_map), wanted in leads.items():
            authorization = wanted.pop() if len(wanted) == 1 else ""
            known = authorization if authorization in AUTHORIZATIONS else ""
            for prefix in prefixes:
                url = api["ApiEndpoint"].rstrip("/") + prefix
                yield Way(service, f"the HTTP API {api['Name']}", url, known, cloud_map)

    def _reached(self, uri: str) -> Iterator[tuple[Service, str]]:
        """The services that an integration leads to, each with the id of its Cloud Map service."""
        arn, _, query = uri.partition("?")
        if ":servicediscovery:" in arn:
            identifier = arn.rsplit("/", 1)[-1]
            filtered = parse_qs(query).get("ECS_SERVICE_NAME")  # attributes that an instance must have
            for service in self._registering[identifier]:
                if filtered is None or service.name in filtered:
                    yield service, identifier
        elif ":elasticloadbalancing:" in arn:
            for service in self._of_listener(arn):
                yield service, ""

    def _of_listener(self, arn: str) -> list[Service]:
        rules = self._clients["elbv2"].describe_rules(ListenerArn=arn)["Rules"]
        groups = [
            group
            for rule in rules
            for action in rule["Actions"]
            for group in [
                action.get("TargetGroupArn", ""),
                *(each["TargetGroupArn"] for each in action.get("ForwardConfig", {}).get("TargetGroups", [])),
            ]
        ]
        return list(dict.fromkeys(service for group in groups for service in self._behind.get(group, [])))

    def _by_load_balancer(self) -> Iterator[Way]:
        """By listeners of HTTP at port 80, for which the name of the load balancer stands."""
        for balancer in self._pages("elbv2", "describe_load_balancers", "LoadBalancers"):
            arn = balancer["LoadBalancerArn"]
            for listener in self._pages("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=arn):
                if (listener.get("Protocol"), listener.get("Port")) == ("HTTP", _HTTP):
                    front = f"the load balancer {balancer['LoadBalancerName']}"
                    for service in self._of_listener(listener["ListenerArn"]):
                        yield Way(service, front, f"http://{balancer['DNSName']}")

    def names(self, cloud_map: str) -> dict[str, str]:
        """`namespace_name` and `discovery_name` of the Cloud Map service with that id, if there is one."""
        if not cloud_map:
            return {}
        client = self._clients["servicediscovery"]
        service = client.get_service(Id=cloud_map)["Service"]
        namespace = client.get_namespace(Id=service["NamespaceId"])["Namespace"]
        return {"namespace_name": namespace["Name"], "discovery_name": service["Name"]}

    def _pages(self, client: str, operation: str, member: str = "Items", **parameters: Any) -> Iterator[Any]:
        for page in self._clients[client].get_paginator(operation).paginate(**parameters):
            yield from page[member]
