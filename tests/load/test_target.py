from __future__ import annotations

import json
from pathlib import Path

import pytest

from load.errors import BadOption
from load.target import Target, read_outputs


def test_the_stack_with_a_gateway_is_found(tmp_path: Path) -> None:
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps({"other": {}, "stack": {"gateway_url": "https://a.b/", "region": "eu-west-2"}}))
    assert read_outputs(file) == Target("https://a.b", "eu-west-2", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "one stack with a gateway_url is needed, there are 0"),
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
