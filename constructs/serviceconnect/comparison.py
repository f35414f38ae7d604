"""The comparison arm: an internal load balancer before the same tasks."""

from __future__ import annotations

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.lb import Lb
from cdktf_cdktf_provider_aws.lb_listener import LbListener, LbListenerDefaultAction
from cdktf_cdktf_provider_aws.lb_target_group import LbTargetGroup, LbTargetGroupHealthCheck
from constructs import Construct

from serviceconnect.network import Network
from serviceconnect.security import connect, security_group
from serviceconnect.settings import Settings

__all__ = ["Comparison"]


class Comparison(Construct):
    """An application load balancer that the same VPC link reaches, and the target group that the service fills.

    `all` has what the service waits for.
    """

    def __init__(self, scope: Construct, id: str, settings: Settings, network: Network) -> None:
        super().__init__(scope, id)
        group = security_group(self, "alb", settings.name, network.vpc_id, "Load balancer")
        self.all = connect(self, "listener", network.vpc_link_group, group, 80)
        self.all += connect(self, "targets", group, network.tasks.group, settings.container_port)
        balancer = Lb(
            self,
            "balancer",
            name=f"{settings.name}-alb",
            load_balancer_type="application",
            internal=True,
            subnets=network.subnet_ids,
            security_groups=[group.id],
            drop_invalid_header_fields=True,
            # No shorter than API Gateway's own wait, or the two ways would differ in more than their balancing.
            idle_timeout=60,
        )
        self.target_group = LbTargetGroup(
            self,
            "targets",
            # Another port makes a new group, which listener and service move to before the old one goes: both are there
            # for a while, so the provider chooses the name. A prefix has at most six characters.
            name_prefix="tasks-",
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
            target_type="ip",
            protocol="HTTP",
            port=settings.container_port,
            vpc_id=network.vpc_id,
            # ECS keeps a task that is deregistered running for this long before SIGTERM.
            deregistration_delay=str(settings.request_timeout),
            health_check=LbTargetGroupHealthCheck(
                path=settings.comparison_health_path, interval=10, timeout=5, healthy_threshold=2, unhealthy_threshold=3
            ),
        )
        # ECS refuses a target group that belongs to no load balancer yet, so the service waits for the listener.
        self.listener = LbListener(
            self,
            "listener",
            load_balancer_arn=balancer.arn,
            port=80,
            protocol="HTTP",
            default_action=[LbListenerDefaultAction(type="forward", target_group_arn=self.target_group.arn)],
        )
        self.all.append(self.listener)
