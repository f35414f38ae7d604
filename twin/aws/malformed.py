"""What is wrong with a request that moto could not answer, by botocore's model of the operation.

moto reads its requests without a check, and fails where something is missing or of another type. AWS names the member.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

import botocore.loaders
from botocore.exceptions import BotoCoreError
from botocore.model import OperationModel, OperationNotFoundError, ServiceModel
from werkzeug.wrappers import Request

from twin.aws.protocol import service_of

__all__ = ["what_is_wrong"]

# Services whose model has another name than the scope of their signatures.
_MODELS = {"apigateway": "apigatewayv2", "elasticloadbalancing": "elbv2", "monitoring": "cloudwatch", "email": "ses"}
_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "structure": ((dict,), "an object"),
    "map": ((dict,), "an object"),
    "list": ((list,), "a list"),
    "string": ((str,), "a text"),
    "boolean": ((bool,), "true or false"),
    "integer": ((int, float), "a number"),
    "long": ((int, float), "a number"),
    "float": ((int, float), "a number"),
    "double": ((int, float), "a number"),
}


def what_is_wrong(request: Request, body: bytes) -> str | None:
    """The first required member that the request lacks, or the first of another type; None if there is none.

    Of a form (EC2's and the query protocol) the outermost members alone are looked at, and whether they are there.
    """
    operation = _operation(request)
    if operation is None or operation.input_shape is None:
        return None
    shape = operation.input_shape
    if "Action" in request.form:
        given = {key.split(".")[0] for key in request.form}
        required = list(shape.required_members)
        return next((_missing(name) for name in required if given.isdisjoint(_keys(shape, name))), None)
    try:
        content = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return None
    return _wrong(shape, content, "", elsewhere={"uri", "querystring", "header", "headers"}) or _not_in_query(
        shape, request
    )


def _operation(request: Request) -> OperationModel | None:
    service = service_of(request)
    loader = botocore.loaders.create_loader()
    try:
        model = ServiceModel(loader.load_service_model(_MODELS.get(service, service), "service-2"))
        target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        if name := target or request.form.get("Action", ""):
            return model.operation_model(name)
    except (BotoCoreError, OperationNotFoundError):
        return None
    operations = (model.operation_model(name) for name in model.operation_names)
    return next((each for each in operations if _is_at(each.http, request)), None)


def _is_at(http: Mapping[str, Any], request: Request) -> bool:
    path = re.sub(r"\\\{\w+\+?\\\}", "[^/]*", re.escape(str(http["requestUri"]).partition("?")[0]))
    return http["method"] == request.method and re.fullmatch(path, request.path) is not None


def _wrong(shape: Any, value: Any, where: str, elsewhere: Collection[str] = ()) -> str | None:
    types, words = _TYPES.get(shape.type_name, ((object,), ""))
    # A truth value is a number to Python alone.
    if type(value) not in types and words:
        return f"{where or 'The request'} must be {words}, is {json.dumps(value)[:100]}."
    inside: list[tuple[Any, Any, str]] = []
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            key = member.serialization.get("name", name)
            if member.serialization.get("location") in elsewhere:
                continue
            if name in shape.required_members and value.get(key) is None:
                return _missing(f"{where}{'.' if where else ''}{key}")
            if value.get(key) is not None:
                inside.append((member, value[key], f"{where}{'.' if where else ''}{key}"))
    elif shape.type_name == "list":
        inside = [(shape.member, item, f"{where}.{number}") for number, item in enumerate(value)]
    elif shape.type_name == "map":
        inside = [(shape.value, item, f"{where}.{key}") for key, item in value.items()]
    return next((wrong for member, item, path in inside if (wrong := _wrong(member, item, path))), None)


def _not_in_query(shape: Any, request: Request) -> str | None:
    for name in shape.required_members:
        place = shape.members[name].serialization
        if place.get("location") == "querystring" and not any(k.startswith(place["name"]) for k in request.args):
            return _missing(place["name"])
    return None


def _keys(shape: Any, name: str) -> set[str]:
    """The names under which a form may have a member."""
    place = shape.members[name].serialization
    written = place.get("queryName", place.get("name", name))
    return {name, written, written[0].upper() + written[1:]}


def _missing(name: str) -> str:
    return f"The request must contain {name}."
