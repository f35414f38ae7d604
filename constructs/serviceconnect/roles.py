"""The roles: what ECS may do to start a task, and what the task itself may do."""

from __future__ import annotations

from collections.abc import Sequence

from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from constructs import Construct

from serviceconnect.policy import EXEC, PULL, READ_SECRETS, WRITE_LOGS, allow, document, trust
from serviceconnect.settings.service import ServiceSettings

__all__ = ["Roles"]


class Roles(Construct):
    """An execution role for this image, these logs and these secrets; a task role that may do nothing."""

    def __init__(
        self, scope: Construct, id: str, settings: ServiceSettings, repository_arn: str, log_group_arns: Sequence[str]
    ) -> None:
        super().__init__(scope, id)
        trusted = trust("ecs-tasks.amazonaws.com")
        # Roles are global, so the Region is in the name: the stack may be in several.
        self.execution = IamRole(
            self, "execution", name=f"{settings.name}-execution-{settings.region}", assume_role_policy=trusted
        )
        self.task = IamRole(self, "task", name=f"{settings.name}-task-{settings.region}", assume_role_policy=trusted)
        statements = [allow(WRITE_LOGS, [f"{arn}:*" for arn in log_group_arns])]
        if repository_arn:
            statements += [allow(["ecr:GetAuthorizationToken"]), allow(PULL, [repository_arn])]
        for service, action in READ_SECRETS.items():
            arns = settings.secrets_of(service)
            if arns:
                statements.append(allow([action], arns))
        self.execution_policy = IamRolePolicy(
            self, "execution-policy", name="start-tasks", role=self.execution.name, policy=document(statements)
        )
        if settings.execute_command:
            IamRolePolicy(
                self, "task-policy", name="execute-command", role=self.task.name, policy=document([allow(EXEC)])
            )
