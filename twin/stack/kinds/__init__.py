"""The types of resources that the twin deploys, each as the call that makes it, and why it passes over others.

Arguments and attributes: https://registry.terraform.io/providers/hashicorp/aws/6.25.0/docs
"""

from __future__ import annotations

from collections.abc import Mapping

from twin.stack.call import Call
from twin.stack.kinds.discovery import DISCOVERY
from twin.stack.kinds.gateway import GATEWAY
from twin.stack.kinds.load_balancer import LOAD_BALANCER
from twin.stack.kinds.network import NETWORK
from twin.stack.kinds.reading import READING, Read
from twin.stack.kinds.tasks import TASKS
from twin.stack.kinds.watching import WATCHING

__all__ = ["KINDS", "reason_to_pass_over"]

KINDS: Mapping[str, Call | Read] = {**NETWORK, **TASKS, **DISCOVERY, **GATEWAY, **LOAD_BALANCER, **WATCHING, **READING}

_PASSED_OVER = {
    "aws_cloudwatch_dashboard": "the twin draws none",
    "aws_cloudwatch_log_metric_filter": "the twin reads no logs",
    "aws_default_security_group": "no packet is filtered on loopback addresses",
    "aws_ecr_lifecycle_policy": "tasks start from this checkout, not from an image",
    "aws_iam_policy": "the endpoint checks no permissions",
    "aws_iam_role_policy": "the endpoint checks no permissions",
    "aws_iam_role_policy_attachment": "the endpoint checks no permissions",
    "aws_route53_record": "the gateway has a loopback address and no domain",
    "aws_route_table": "loopback addresses need no routes",
    "aws_route_table_association": "loopback addresses need no routes",
    "aws_vpc_endpoint": "tasks reach the endpoint on a loopback address",
    "terraform_data": "its commands are Terraform's to run",
}


def reason_to_pass_over(type: str) -> str:
    """Why the twin does not deploy resources of *type*, which is not among KINDS."""
    return _PASSED_OVER.get(type, "the twin has no part that would use it")
