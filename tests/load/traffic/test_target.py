from __future__ import annotations

import json
from pathlib import Path

import pytest

from load.errors import BadOption
from load.traffic.target import Target, check_url, read_outputs


def test_the_stack_with_a_gateway_is_found(tmp_path: Path) -> None:
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps({"other": {}, "stack": {"gateway_url": "https://a.b/", "region": "eu-west-2"}}))
    assert read_outputs(file) == Target(stack="stack", gateway_url="https://a.b", region="eu-west-2")


def test_what_terraform_writes_is_a_stack_that_is_called_as_the_file(tmp_path: Path) -> None:
    file = tmp_path / "orders.json"
    values = {"gateway_url": "https://a.b/", "region": "eu-west-2", "subnets": ["subnet-1"]}
    file.write_text(json.dumps({name: {"sensitive": False, "type": "", "value": of} for name, of in values.items()}))

    assert read_outputs(file) == Target(stack="orders", gateway_url="https://a.b", region="eu-west-2")


def test_further_services_are_known_by_their_outputs(tmp_path: Path) -> None:
    outputs = {
        "gateway_url": "http://a",
        "service_name": "serviceconnect",
        "caller_service_name": "caller",
        "caller_discovery_name": "caller",
        "night_jobs_service_name": "night-jobs",
    }
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps({"stack": outputs}))
    assert read_outputs(file).further == {"caller": "caller", "night-jobs": ""}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "an object of stacks is needed"),
        ("{}", "one stack with a gateway_url is needed, there are 0"),
        ("[" * 100_000, "not JSON"),
        ('{"a": ' * 5_000 + "1" + "}" * 5_000, "not JSON"),
        ('{"a": {"gateway_url": ["http://a"]}}', "gateway_url must be text of at most 2048 characters, not "),
        ('{"a": {"gateway_url": "http://a", "region": 5}}', "region must be text"),
        ('{"a": {"gateway_url": "http://a", "b_service_name": 5}}', "b_service_name must be text"),
        ('{"a": {"gateway_url": "http://a", "b_service_name": []}}', "b_service_name must be text"),
        (
            '{"a": {"gateway_url": "http://a", "b_service_name": "b", "b_discovery_name": {}}}',
            "b_discovery_name must be text",
        ),
        ('{"a": {"gateway_url": "http://a:b"}}', "gateway_url 'http://a:b': the URL of a host is needed"),
        ('{"a": {"gateway_url": "http://a"}, "b": {"gateway_url": "http://b"}}', "there are 2"),
        (None, "no such file or directory"),
    ],
)
def test_an_outputs_file_that_cannot_be_used_is_named(tmp_path: Path, text: str | None, message: str) -> None:
    file = tmp_path / "outputs.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(BadOption, match=message) as caught:
        read_outputs(file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("url", ["http://a", "https://a.b:443/stage", "http://127.0.0.1:8000", "http://[::1]:80/"])
def test_a_url_that_can_be_asked(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(
    "url",
    ["", "a", "http://", "http://[::1", "http://a:b", "http://127.0.0.1:99999", "http://a:0", "ftp://a", "http://a b"],
)
def test_a_url_that_cannot_be_asked_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="the URL of a host is needed, with a port from 1 to 65535"):
        check_url(url)
