"""The tables of types against botocore's models: what they name is there."""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore.session
import jmespath  # type: ignore[import-untyped]
import pytest

from twin.stack.kinds import KINDS, reason_to_pass_over


@cache
def model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def operation(type: str) -> Any:
    return model(KINDS[type].service).operation_model(KINDS[type].operation)


@pytest.mark.parametrize("type", KINDS)
def test_renamed_arguments_lead_to_parameters(type: str) -> None:
    for argument, path in KINDS[type].rename.items():
        if "." in argument:  # The structure around it is another one.
            continue
        shape = operation(type).input_shape
        for step in path.split("."):
            shape = shape.members[step]


@pytest.mark.parametrize("type", KINDS)
def test_attributes_are_read_from_members_of_the_answer(type: str) -> None:
    for path in KINDS[type].answer.values():
        first = jmespath.compile(path).parsed
        while first["children"]:
            first = first["children"][0]
        assert first["value"] in operation(type).output_shape.members


def test_a_reason_is_given_for_any_type() -> None:
    assert reason_to_pass_over("aws_iam_policy") == "the endpoint checks no permissions"
    assert reason_to_pass_over("aws_sqs_queue") == "the twin has no part that would use it"
