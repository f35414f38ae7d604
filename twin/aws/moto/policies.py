"""The managed policies of AWS, which moto loads at its start or never. Here they are read when first asked for.

Reading all of them takes a third of a second.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from moto.iam.models import AWSManagedPolicy, IAMBackend, aws_managed_policies_data

__all__ = ["complete"]

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
