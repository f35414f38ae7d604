"""The ECS API: checks a request against botocore's service model, hands it to its operation, answers in wire form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.validate import ParamValidator

from twin.aws.ecs import clusters, service_deployments, services, tags, task_definitions, tasks
from twin.aws.ecs.context import Context
from twin.aws.ecs.errors import InvalidParameterException, SerializationException, UnsupportedFeatureException
from twin.events import Events

__all__ = ["OPERATIONS", "TARGET_PREFIX", "Api", "call", "outside_enums", "service_model"]

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

_INSTEAD = {"ExecuteCommand": ": `twin exec TASK -- COMMAND` runs a command as the task's processes run"}


@cache
def service_model() -> Any:
    """botocore's model of ECS: the shapes of every request and answer."""
    return botocore.session.get_session().get_service_model("ecs")


class Api:
    """All operations, for the endpoint's threads."""

    def __init__(self, context: Context, events: Events) -> None:
        self._context = context
        self._events = events

    def __call__(self, operation: str, request: object) -> Json:
        """Do it on the event loop, to which the records belong. Raises as `call` does."""

        async def done() -> Json:
            return call(self._context, operation, request)

        return self._events.call(done())


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
        instead = _INSTEAD.get(operation, "")
        raise UnsupportedFeatureException(f"The operation {operation} is not supported by this endpoint{instead}")
    shape = service_model().operation_model(operation).input_shape
    try:
        report = ParamValidator().validate(request, shape)
    except (ArithmeticError, RuntimeError, ValueError) as error:  # botocore's way to say that it is no timestamp
        raise InvalidParameterException(f"The request has a value that is out of range: {error}.") from None
    if report.has_errors():
        raise InvalidParameterException(report.generate_report().replace("\n", "; "))
    if wrong := list(outside_enums(shape, request)):  # botocore leaves these to the service
        raise InvalidParameterException("; ".join(wrong))
    return OPERATIONS[operation](context, request)


def outside_enums(shape: Any, value: Any) -> Iterator[str]:
    """What in *value* is none of the values that its shape in the service model allows."""
    if shape.type_name == "structure":
        for name, member in value.items():
            if name in shape.members:
                yield from outside_enums(shape.members[name], member)
    elif shape.type_name == "list":
        for item in value:
            yield from outside_enums(shape.member, item)
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        yield f"{value!r} is no {shape.name}: it must be one of {', '.join(shape.enum)}"
