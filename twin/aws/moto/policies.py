"""The managed policies of AWS, which moto loads at its start or never, and what the policies of a role allow.

Those of AWS are read when first asked for. Reading all of them takes a third of a second.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import cache, wraps
from typing import Any

from moto.backends import get_backend
from moto.iam.models import AWSManagedPolicy, IAMBackend, aws_managed_policies_data

from twin.aws.moto.stores import locked

__all__ = ["allows", "complete"]

_METHODS = (
    *("attach_group_policy", "attach_role_policy", "attach_user_policy"),
    *("get_policy", "get_policy_version", "list_policies", "list_policy_versions"),
)


@cache
def _data() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(aws_managed_policies_data)
    return content


def _load(backend: Any) -> None:
    if not backend.aws_managed_policies:
        backend.aws_managed_policies = [
            AWSManagedPolicy.from_data(name, backend.account_id, backend.region_name, data)
            for name, data in _data().items()
        ]
        backend.managed_policies |= {policy.arn: policy for policy in backend.aws_managed_policies}


def _loaded(method: Callable[..., Any]) -> Callable[..., Any]:
    """*method* with the policies there if an argument names one of them, or all are asked for."""

    @wraps(method)
    def call(self: Any, *arguments: Any, **named: Any) -> Any:
        values = [*arguments, *named.values()]
        named_one = any(isinstance(value, str) and ":iam::aws:policy/" in value for value in values)
        if named_one or (method.__name__ == "list_policies" and "Local" not in values):
            _load(self)
        return method(self, *arguments, **named)

    return call


_ORIGINAL = {name: getattr(IAMBackend, name) for name in _METHODS}


def complete() -> None:
    """Put it on moto's classes."""
    for name, method in _ORIGINAL.items():
        setattr(IAMBackend, name, _loaded(method))


@locked
def allows(account: str, role: str, action: str) -> bool | None:
    """Whether a policy of the role with that ARN allows *action* on anything; None: there is no such role.

    What is denied, and on which condition or resource, is not looked at.
    """
    roles = get_backend("iam")[account]["aws"].roles.values()
    found = next((each for each in roles if each.arn == role), None)
    if found is None:
        return None
    versions = [version for policy in found.managed_policies.values() for version in policy.versions]
    documents = [*found.policies.values(), *(each.document for each in versions if each.is_default)]
    return any(
        _allowed(statement, action) for each in documents for statement in _listed(json.loads(each)["Statement"])
    )


def _allowed(statement: dict[str, Any], action: str) -> bool:
    named = [str(each).lower() for each in _listed(statement.get("Action", "*"))]  # else it has NotAction
    return statement["Effect"] == "Allow" and any(fnmatchcase(action.lower(), each) for each in named)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
