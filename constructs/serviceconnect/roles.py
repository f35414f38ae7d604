"""The roles: what ECS may do to start a task, and what the task itself may do."""

from __future__ import annotations

from collections.abc import Sequence

from cdktf_cdktf_provider_aws.data_aws_caller_identity import DataAwsCallerIdentity
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.iam_role_policy_attachment import IamRolePolicyAttachment
from constructs import Construct

from serviceconnect.policy import EXEC, PULL, READ_SECRETS, WRITE_LOGS, allow, document, trust
from serviceconnect.settings.service import ServiceSettings

__all__ = ["Roles", "role_for_tasks"]


def role_for_tasks(scope: Construct, id: str, settings: ServiceSettings, purpose: str, account_id: str = "") -> IamRole:
    """A role that may do nothing yet, for ECS's tasks to take on. *purpose* is in its name.

    Args:
        account_id: the account whose tasks alone may; empty: any that ECS names. AWS documents the condition for task
            roles, and not for execution roles.
            https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html#create_task_iam_policy_and_role
    """
    return IamRole(
        scope,
        id,
        # Roles are global, so the Region is in the name: the stack may be in several.
        name=f"{settings.name}-{purpose}-{settings.region}",
        assume_role_policy=trust("ecs-tasks.amazonaws.com", account_id),
        permissions_boundary=settings.permissions_boundary or None,
        # Without it `destroy` stops at a role to which somebody else has attached a policy.
        force_detach_policies=True,
    )


class Roles(Construct):
    """An execution role for this image, these logs and these secrets; a task role with the settings' policies."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        settings: ServiceSettings,
        repository_arns: Sequence[str],
        log_group_arns: Sequence[str],
    ) -> None:
        super().__init__(scope, id)
        self.execution = role_for_tasks(self, "execution", settings, "execution")
        self.account_id: str = DataAwsCallerIdentity(self, "account").account_id
        self.task = role_for_tasks(self, "task", settings, "task", self.account_id)
        statements = [allow(WRITE_LOGS, [f"{arn}:*" for arn in log_group_arns])]
        if repository_arns:
            statements += [allow(["ecr:GetAuthorizationToken"]), allow(PULL, repository_arns)]
        for service, action in READ_SECRETS.items():
            arns = settings.secrets_of(service)
            if arns:
                statements.append(allow([action], arns))
        if settings.secrets_kms_key_arns:
            statements.append(allow(["kms:Decrypt"], settings.secrets_kms_key_arns))
        execution_policy = IamRolePolicy(
            self, "execution-policy", name="start-tasks", role=self.execution.name, policy=document(statements)
        )
        # By ARN, not by number: when one leaves the list, the others stay attached.
        attached = [
            IamRolePolicyAttachment(self, arn, role=self.task.name, policy_arn=arn) for arn in settings.task_policy_arns
        ]
        self.policies = [execution_policy, *attached]
        if settings.execute_command:
            IamRolePolicy(
                self, "task-policy", name="execute-command", role=self.task.name, policy=document([allow(EXEC)])
            )
