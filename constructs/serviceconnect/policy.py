"""IAM policies as JSON text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

__all__ = ["EXEC", "PULL", "READ_SECRETS", "WRITE_LOGS", "allow", "document", "trust"]

VERSION = "2012-10-17"

PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
WRITE_LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")
READ_SECRETS = {"secretsmanager": "secretsmanager:GetSecretValue", "ssm": "ssm:GetParameters"}
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html#ecs-exec-required-iam-permissions
EXEC = (
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)


def allow(
    actions: Sequence[str],
    resources: Sequence[str] = ("*",),
    by: str = "",
    principal: str | Mapping[str, str] = "",
) -> dict[str, object]:
    """A statement that allows *actions* on *resources*.

    Args:
        by: ARN of the one role that may; for endpoint policies, where the principal itself must be everybody for
            requests that AWS signs in a role's name. https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
        principal: for a resource's policy: everybody ("*"), or as IAM writes one; empty for a role's own.
    """
    statement: dict[str, object] = {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    if principal or by:
        statement["Principal"] = principal or "*"
    if by:
        statement["Condition"] = {"ArnEquals": {"aws:PrincipalArn": by}}
    return statement


def document(statements: Sequence[Mapping[str, object]]) -> str:
    """A policy of *statements*."""
    return json.dumps({"Version": VERSION, "Statement": list(statements)})


def trust(service: str, account_id: str = "") -> str:
    """The policy that lets an AWS *service* assume a role, on behalf of *account_id* alone if it is given."""
    statement: dict[str, object] = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    if account_id:
        statement["Condition"] = {"StringEquals": {"aws:SourceAccount": account_id}}
    return document([statement])
