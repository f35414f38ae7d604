"""What an endpoint has, as its own list calls say it: the ids of all that a stack can make, by the call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["inventory"]

# Service, list call, the answer's member that has the resources, and the member that names one ("": they are names).
_CALLS = (
    ("apigatewayv2", "get_apis", "Items", "ApiId"),
    ("apigatewayv2", "get_domain_names", "Items", "DomainName"),
    ("apigatewayv2", "get_vpc_links", "Items", "VpcLinkId"),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
    ("ec2", "describe_security_group_rules", "SecurityGroupRules", "SecurityGroupRuleId"),
    ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    ("ec2", "describe_subnets", "Subnets", "SubnetId"),
    ("ec2", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
    ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
    ("ecr", "describe_repositories", "repositories", "repositoryName"),
    ("ecs", "list_clusters", "clusterArns", ""),
    ("ecs", "list_task_definitions", "taskDefinitionArns", ""),
    ("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerArn"),
    ("elbv2", "describe_target_groups", "TargetGroups", "TargetGroupArn"),
    ("iam", "list_roles", "Roles", "RoleName"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("servicediscovery", "list_namespaces", "Namespaces", "Id"),
    ("servicediscovery", "list_services", "Services", "Id"),
    ("route53", "list_hosted_zones", "HostedZones", "Id"),
    ("sns", "list_topics", "Topics", "TopicArn"),
)


def inventory(client: Callable[[str], Any]) -> frozenset[str]:
    """All of them, as `service id`; *client* gives boto3's client of a service."""
    return frozenset(_found(client))


def _found(client: Callable[[str], Any]) -> Iterator[str]:
    for service, call, member, name in _CALLS:
        boto = client(service)
        if boto.can_paginate(call):
            answer = boto.get_paginator(call).paginate().build_full_result()
        else:
            answer = getattr(boto, call)()
        for item in answer.get(member, []):
            if not (name and item.get("State") == "deleted"):  # EC2 lists what is deleted for a while
                yield f"{service} {item[name] if name else item}"
    route53 = client("route53")
    for zone in route53.list_hosted_zones()["HostedZones"]:
        for record in route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]:
            yield f"route53 {record['Name']} {record['Type']}"
    scaling = client("application-autoscaling")
    for target in scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]:
        yield f"application-autoscaling {target['ResourceId']}"
