"""The ECS API: checks a request against botocore's service model, hands it to its operation, answers in wire form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.validate import ParamValidator

from twin.ecs import clusters, service_deployments, services, tags, task_definitions, tasks
from twin.ecs.context import Context
from twin.ecs.errors import InvalidParameterException, SerializationException, UnsupportedFeatureException

__all__ = ["OPERATIONS", "TARGET_PREFIX", "call", "service_model"]

Json = dict[str, Any]

TARGET_PREFIX = "AmazonEC2ContainerServiceV20141113"

OPERATIONS: Mapping[str, Callable[[Context, Json], Json]] = {
    **clusters.OPERATIONS,
    **task_definitions.OPERATIONS,
    **services.OPERATIONS,
    **service_deployments.OPERATIONS,
    **tasks.OPERATIONS,
    **tags.OPERATIONS,
}


@cache
def service_model() -> Any:
    """botocore's model of ECS: the shapes of every request and answer."""
    return botocore.session.get_session().get_service_model("ecs")


def call(context: Context, operation: str, request: object) -> Json:
    """Do *operation* with *request* (as JSON has it) and return its answer.

    Raises:
        EcsError: as ECS would refuse it, or because the operation is not here.
    """
    if not isinstance(request, dict):
        raise SerializationException("The request is no JSON object.")
    if operation not in service_model().operation_names:
        raise InvalidParameterException(f"Unknown operation {operation!r}")
    if operation not in OPERATIONS:
        raise UnsupportedFeatureException(f"The operation {operation} is not supported by this endpoint")
    shape = service_model().operation_model(operation).input_shape
    report = ParamValidator().validate(request, shape)
    if report.has_errors():
        raise InvalidParameterException(report.generate_report().replace("\n", "; "))
    return OPERATIONS[operation](context, request)
