from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.errors import BadInput
from lab.runner.service import read_target

OUTPUTS = {
    "gateway_url": "https://abc.execute-api.eu-west-2.amazonaws.com/",
    "region": "eu-west-2",
    "cluster_name": "c",
    "service_name": "s",
    "repository_url": "r",
}


def write(folder: Path, content: Any) -> Path:
    path = folder / "outputs.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_outputs_of_a_deployment(tmp_path: Path) -> None:
    target = read_target(write(tmp_path, {"serviceconnect": OUTPUTS}))

    assert target.stack == "serviceconnect"
    assert target.gateway_url == "https://abc.execute-api.eu-west-2.amazonaws.com"
    assert target.aws_endpoint_url == ""
    assert not target.is_twin


def test_outputs_of_a_twin(tmp_path: Path) -> None:
    path = write(tmp_path, {"s": {**OUTPUTS, "aws_endpoint_url": "http://127.0.0.1:4566"}})
    assert read_target(path).aws_endpoint_url == "http://127.0.0.1:4566"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not JSON"),
        ("[]", "an object of stacks"),
        ({}, "one stack"),
        ({"a": OUTPUTS, "b": OUTPUTS}, "one stack"),
        ({"a": {"gateway_url": "http://x", "region": "eu-west-2"}}, "no output cluster_name, service_name"),
        ({"a": None}, "one stack with a gateway_url"),
    ],
)
def test_unusable_outputs(tmp_path: Path, content: Any, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        read_target(write(tmp_path, content))


def test_no_outputs_yet(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="twin up"):
        read_target(tmp_path / "outputs.json")
