from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.errors import BadInput
from lab.runner.target import read_target

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
        (
            {"a": {"gateway_url": "http://x", "region": "eu-west-2"}},
            "no output cluster_name, service_name: gateway_url, ",
        ),
        ({"a": None}, "one stack with a gateway_url"),
    ],
)
def test_unusable_outputs(tmp_path: Path, content: Any, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        read_target(write(tmp_path, content))


def as_terraform_writes(outputs: dict[str, Any]) -> dict[str, Any]:
    """As `terraform output -json` writes outputs of text."""
    return {name: {"sensitive": False, "type": "string", "value": value} for name, value in outputs.items()}


def test_outputs_of_terraform(tmp_path: Path) -> None:
    target = read_target(write(tmp_path, as_terraform_writes(OUTPUTS)))

    assert (target.stack, target.gateway_url) == ("outputs", OUTPUTS["gateway_url"].rstrip("/"))
    assert (target.region, target.cluster_name, target.service_name) == ("eu-west-2", "c", "s")
    assert not target.is_twin


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://127.3.0.1:8000", "http://localhost:8000/prod"])
def test_a_gateway_on_this_machine_is_the_twins_that_runs_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    outputs = write(tmp_path, as_terraform_writes({**OUTPUTS, "gateway_url": url}))
    with pytest.raises(BadInput, match=r"is on this machine, but no twin runs in \.twin or beside the file"):
        read_target(outputs)

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4567")  # of `twin env`
    assert read_target(outputs).aws_endpoint_url == "http://127.0.0.1:4567"

    (tmp_path / ".twin").mkdir()
    running = {"aws_endpoint_url": "http://127.0.0.1:4566", "region": "eu-west-2", "credentials_file": "keys.json"}
    (tmp_path / ".twin/twin.json").write_text(json.dumps(running))
    assert read_target(outputs).aws_endpoint_url == "http://127.0.0.1:4566"


def test_no_outputs_yet(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="twin up"):
        read_target(tmp_path / "outputs.json")
