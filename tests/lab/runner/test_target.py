from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from lab.errors import BadInput, Missing
from lab.runner import target
from lab.runner.target import TwinCredentials, read_target, silence, twin_credentials
from twin.machine.state import StateFolder

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


def test_a_twin_that_has_announced_itself_is_waited_for_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, asked = tmp_path / "twin", list[float]()

    def begins(seconds: float) -> None:
        asked.append(seconds)
        state.mkdir()
        (state / "twin.json").write_text("{}")

    monkeypatch.setattr(target, "_BEGINS_WITHIN", -1.0)
    monkeypatch.setattr("time.sleep", begins)
    assert not target.is_state(state, state / "outputs.json")
    assert not asked

    with StateFolder(state).beginning():
        assert target.is_state(state, state / "outputs.json")
    assert len(asked) == 1


KEYS = {"access_key": "k", "secret_key": "s", "token": "t"}
HERE = "http://127.0.0.1:4566"


@pytest.fixture
def of_a_twin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The credentials of the twin whose state folder is `twin`."""
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "TWIN_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({**KEYS, "state": str(tmp_path.resolve() / "twin")}))
    return file


def state(folder: Path, endpoint: str, credentials: Path) -> Path:
    folder.mkdir()
    told = {"aws_endpoint_url": endpoint, "region": "eu-west-2", "credentials_file": str(credentials)}
    (folder / "twin.json").write_text(json.dumps(told))
    return folder / "outputs.json"


def test_a_state_folder_has_the_credentials_of_its_own_twin_alone(tmp_path: Path, of_a_twin: Path) -> None:
    found = twin_credentials(HERE, state(tmp_path / "twin", HERE, of_a_twin))
    assert (found.access_key, found.secret_key, found.token) == ("k", "s", "t")

    with pytest.raises(Missing, match=r"The credentials of the twin at .*4567 are not found"):
        twin_credentials("http://127.0.0.1:4567", state(tmp_path / "cloned", "http://127.0.0.1:4567", of_a_twin))


@pytest.mark.parametrize("url", ["http://evil.example:4566", "http://127.0.0.1.evil.example", "http://192.0.2.1:4566"])
def test_no_credentials_go_to_another_machine(
    tmp_path: Path, of_a_twin: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    for name, value in {"ENDPOINT_URL": url, "ACCESS_KEY_ID": "k", "SECRET_ACCESS_KEY": "s"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)

    with pytest.raises(BadInput, match=f"the endpoint {url} is not on this machine, and a twin's is"):
        twin_credentials(url, state(tmp_path / "twin", url, of_a_twin))


def test_the_variables_of_twin_env_are_for_its_endpoint(
    tmp_path: Path, of_a_twin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "TWIN_TOKEN": "t"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Missing, match="are not found"):
        twin_credentials(HERE, tmp_path / "outputs.json")

    monkeypatch.setenv("AWS_ENDPOINT_URL", HERE)
    assert twin_credentials(HERE, tmp_path / "outputs.json") == TwinCredentials(**KEYS)


GAVE_UP = {"time": 1.0, "kind": "twin", "step": "gave up", "message": "Tasks do\x1b[31m not stay up."}


@pytest.mark.parametrize(
    ("events", "pid", "told"),
    [
        (None, None, "http://127.0.0.1:9 does not answer (refused): is it up?"),
        ([GAVE_UP], os.getpid(), "http://127.0.0.1:9 does not answer (refused): is it up?"),
        ([GAVE_UP, {"kind": "task"}], None, "The twin in {} has ended meanwhile: Tasks do[31m not stay up."),
        ([{"kind": "task"}], None, "The twin in {} has ended meanwhile: what `twin up` printed says why."),
    ],
    ids=["no-state-folder", "it-runs", "gave-up", "ended-otherwise"],
)
def test_of_a_twin_that_does_not_answer_it_is_said_whether_it_has_ended_and_why(
    tmp_path: Path, events: list[dict[str, Any]] | None, pid: int | None, told: str
) -> None:
    if events is not None:
        (tmp_path / "events.jsonl").write_text("\n".join(["cut off", *map(json.dumps, events)]) + "\n")
    if pid is not None:
        (tmp_path / "twin.json").write_text(json.dumps({"pid": pid}))

    said = silence("http://127.0.0.1:9", OSError("refused"), tmp_path / "outputs.json")
    assert said == told.format(tmp_path)
