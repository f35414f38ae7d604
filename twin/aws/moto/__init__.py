"""moto, completed: what it lacks or does unlike AWS, of the calls that stacks, Terraform and the AWS CLI make."""

from __future__ import annotations

from twin.aws.moto import (
    alarms,
    api_gateway,
    cloud_map,
    domain_names,
    hosted_zones,
    images,
    metrics,
    policies,
    public_parameters,
    scalable_targets,
    security_groups,
    transit_gateways,
)

__all__ = ["complete"]

_MODULES = (
    *(alarms, api_gateway, cloud_map, domain_names, hosted_zones, metrics, policies, public_parameters),
    *(images, scalable_targets, security_groups, transit_gateways),
)

# General layout
#
#   alarms.py           states of CloudWatch's alarms, computed from what the gateway and the proxies of tasks count
#   metrics.py          these counts, and those of PutMetricData, as GetMetricData, GetMetricStatistics and ListMetrics
#   cloud_map.py        filters, pages, the errors of names and of what is in use, health status, random order
#   api_gateway.py      UpdateStage, lists of authorizers and deployments, tags of stages, what a route key may be
#   security_groups.py  rules that differ in source or destination alone, descriptions of all kinds of rules
#   scalable_targets.py the services of the twin's ECS as scalable targets: tags, ranges, schedules, activities
#   scaling_alarms.py   the alarms of target tracking policies
#   domain_names.py     their addresses, changes of names and mappings, what a mapping keeps from being deleted
#   hosted_zones.py     their ids
#   images.py           AWS's public images, made when they are first asked for
#   policies.py         the managed policies of AWS; what those of a role allow
#   public_parameters.py  AWS's public parameters of its image for logs
#   transit_gateways.py attachments of VPCs: their tags, and that they are described once they are deleted
#
# Each puts methods of its own on moto's classes: moto serves them as it serves its own. Beside them
# registry.py, elbv2.py, scaling.py, subnets.py and access_keys.py are what the twin's own parts do in moto's stores
# (stores.py).


def complete() -> None:
    """Put all of it on moto's classes; a second call changes nothing."""
    for module in _MODULES:
        module.complete()
