"""AWS's public parameters that stacks of ECS read and moto lacks: where the image of AWS for Fluent Bit is.

Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/firelens-using-fluentbit.html. The repository is of
AWS's account 906394416424 there; that it is in every Region is assumed.
"""

from __future__ import annotations

from typing import Any

from moto.core.utils import utcnow
from moto.ssm.models import Parameter, ParameterDict

__all__ = ["complete"]

_PREFIX = "/aws/service/aws-for-fluent-bit"
_TAGS = ("latest", "stable")


def _check_loading_status(self: Any, key: str) -> None:
    _ORIGINAL(self, key)
    if str(key or "").startswith(_PREFIX) and not dict.__contains__(self, f"{_PREFIX}/{_TAGS[0]}"):
        for tag in _TAGS:
            dict.__setitem__(self, f"{_PREFIX}/{tag}", [_parameter(self, tag)])


def _parameter(store: Any, tag: str) -> Any:
    return Parameter(
        account_id=store.account_id,
        name=f"{_PREFIX}/{tag}",
        value=f"906394416424.dkr.ecr.{store.region_name}.amazonaws.com/aws-for-fluent-bit:{tag}",
        parameter_type="String",
        description=None,
        allowed_pattern=None,
        keyid=None,
        last_modified_date=utcnow(),
        version=1,
        data_type="text",
    )


_ORIGINAL = ParameterDict._check_loading_status


def complete() -> None:
    """Put it on moto's class."""
    ParameterDict._check_loading_status = _check_loading_status
