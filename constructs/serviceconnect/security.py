"""Security groups that admit each other, and nobody else."""

from __future__ import annotations

from cdktf_cdktf_provider_aws.security_group import SecurityGroup
from cdktf_cdktf_provider_aws.vpc_security_group_egress_rule import VpcSecurityGroupEgressRule
from cdktf_cdktf_provider_aws.vpc_security_group_ingress_rule import VpcSecurityGroupIngressRule
from constructs import Construct

__all__ = ["connect", "security_group"]


def security_group(scope: Construct, id: str, stack_name: str, vpc_id: str, description: str) -> SecurityGroup:
    """A group without rules. Terraform takes away the egress to everywhere that AWS puts into a new one."""
    name = f"{stack_name}-{id}"
    return SecurityGroup(scope, id, name=name, description=description, vpc_id=vpc_id, tags={"Name": name})


def connect(scope: Construct, id: str, source: SecurityGroup, target: SecurityGroup, port: int) -> None:
    """Let *source* open TCP connections to *port* of *target*."""
    VpcSecurityGroupEgressRule(
        scope,
        f"{id}-out",
        security_group_id=source.id,
        referenced_security_group_id=target.id,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        description=f"To {target.node.id}",
    )
    VpcSecurityGroupIngressRule(
        scope,
        f"{id}-in",
        security_group_id=target.id,
        referenced_security_group_id=source.id,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        description=f"From {source.node.id}",
    )
