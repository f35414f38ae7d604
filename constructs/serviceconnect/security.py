"""Security groups that admit each other, and nobody else."""

from __future__ import annotations

from cdktf import ITerraformDependable, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.security_group import SecurityGroup
from cdktf_cdktf_provider_aws.vpc_security_group_egress_rule import VpcSecurityGroupEgressRule
from cdktf_cdktf_provider_aws.vpc_security_group_ingress_rule import VpcSecurityGroupIngressRule
from constructs import Construct

__all__ = ["connect", "security_group", "way_in", "way_out"]


def security_group(scope: Construct, id: str, stack_name: str, vpc_id: str, description: str) -> SecurityGroup:
    """A group without rules. Terraform takes away the egress to everywhere that AWS puts into a new one."""
    name = f"{stack_name}-{id}"
    return SecurityGroup(
        scope,
        id,
        # What uses a group moves to another before the first goes, so both are there for a while.
        name_prefix=f"{name}-",
        description=description,
        vpc_id=vpc_id,
        tags={"Name": name},
        lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
    )


def connect(
    scope: Construct, id: str, source: SecurityGroup, target: SecurityGroup, port: int
) -> list[ITerraformDependable]:
    """Let *source* open TCP connections to *port* of *target*: two rules, without which nothing passes."""
    out = way_out(scope, f"{id}-out", source, port, f"To {target.node.id}", referenced_security_group_id=target.id)
    return [out, way_in(scope, f"{id}-in", source, target, port)]


def way_in(
    scope: Construct, id: str, source: SecurityGroup, target: SecurityGroup, port: int
) -> VpcSecurityGroupIngressRule:
    """Let *target* admit TCP connections of *source* to *port*."""
    return VpcSecurityGroupIngressRule(
        scope,
        id,
        security_group_id=target.id,
        referenced_security_group_id=source.id,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        description=f"From {source.node.id}",
    )


def way_out(
    scope: Construct, id: str, source: SecurityGroup, port: int, description: str, **peer: str
) -> VpcSecurityGroupEgressRule:
    """Let *source* open TCP connections to *port* of *peer*, one of the rule's arguments such as ``cidr_ipv4``."""
    return VpcSecurityGroupEgressRule(
        scope,
        id,
        security_group_id=source.id,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        description=description,
        **peer,
    )
