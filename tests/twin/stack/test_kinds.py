"""The tables of types against botocore's models: what they name is there."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import botocore.session
import jmespath  # type: ignore[import-untyped]
import pytest

from tests.twin.running import CREDENTIALS
from twin.aws.client import Aws
from twin.stack.call import Call
from twin.stack.kinds import KINDS, reason_to_pass_over


@cache
def model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


CALLS = {type: kind for type, kind in KINDS.items() if isinstance(kind, Call)}


def operation(type: str) -> Any:
    return model(CALLS[type].service).operation_model(CALLS[type].operation)


@pytest.mark.parametrize("type", CALLS)
def test_renamed_arguments_lead_to_parameters(type: str) -> None:
    for argument, path in CALLS[type].rename.items():
        if "." in argument:  # The structure around it is another one.
            continue
        shape = operation(type).input_shape
        for step in path.split("."):
            shape = shape.members[step]


@pytest.mark.parametrize("type", CALLS)
def test_attributes_are_read_from_members_of_the_answer(type: str) -> None:
    for path in CALLS[type].answer.values():
        first = jmespath.compile(path).parsed
        while first["children"]:
            first = first["children"][0]
        assert first["value"] in operation(type).output_shape.members


def test_a_reason_is_given_for_any_type() -> None:
    assert reason_to_pass_over("aws_iam_policy") == "the endpoint checks no permissions"
    assert reason_to_pass_over("aws_sqs_queue") == "the twin has no part that would use it"


def test_a_policy_document_is_as_the_provider_writes_it() -> None:
    statement = {
        "sid": "a",
        "actions": ["s3:GetObject", "s3:PutObject"],
        "resources": ["*"],
        "principals": {"type": "*", "identifiers": ["*"]},
        "condition": [
            {"test": "StringEquals", "variable": "aws:a", "values": ["1"]},
            {"test": "StringEquals", "variable": "aws:b", "values": ["1", "2"]},
        ],
    }
    arguments = {"source_policy_documents": ['{"Statement": [{"Sid": "former"}]}'], "statement": [statement]}
    aws = Aws("http://127.0.0.1:1", "eu-west-2", CREDENTIALS)  # is asked for nothing

    attributes, unused = KINDS["data.aws_iam_policy_document"](aws, arguments, {})

    assert unused == ()
    assert json.loads(attributes["json"]) == json.loads(attributes["minified_json"])
    assert json.loads(attributes["json"])["Statement"] == [
        {"Sid": "former"},
        {
            "Sid": "a",
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": "*",
            "Effect": "Allow",
            "Principal": "*",
            "Condition": {"StringEquals": {"aws:a": "1", "aws:b": ["1", "2"]}},
        },
    ]
