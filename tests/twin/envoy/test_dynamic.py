"""The files of an Envoy: what could not be written is not taken for written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from twin.envoy.dynamic import DynamicEnvoy
from twin.machine.process import Processes


def test_what_could_not_be_written_is_written_the_next_time(tmp_path: Path) -> None:
    dynamic = DynamicEnvoy(
        "gateway", folder=tmp_path, processes=Processes(), binary="envoy", log=lambda kind, **details: None
    )
    dynamic.write("cds", [{"name": "one"}])
    dynamic.files.rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError):
        dynamic.write("cds", [{"name": "two"}])
    (tmp_path / "away").rename(dynamic.files)

    dynamic.write("cds", [{"name": "two"}])

    written = json.loads((dynamic.files / "cds.json").read_text())
    assert [resource["name"] for resource in written["resources"]] == ["two"]
