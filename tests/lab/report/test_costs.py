from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lab.report.costs import costs
from load.results import Run, read_run
from tests.lab.experiments.runs import write_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return read_run(write_run(tmp_path / "run", np.random.default_rng(1), seconds=5, at=None))


def test_a_run_that_states_its_sizes_is_priced(run: Run) -> None:
    section = costs({"direct": replace(run, meta={**run.meta, "response_bytes_mean": 38.0})})

    assert section.count("<svg") == 3
    assert "prices are assumed" in section


def test_a_run_without_sizes_says_what_is_missing(run: Run) -> None:
    section = costs({"direct": run})

    assert "<svg" not in section
    assert "response_bytes_mean" in section


def test_both_ways_are_priced_together(run: Run) -> None:
    known = replace(run, meta={**run.meta, "response_bytes_mean": 38.0})
    one, both = costs({"direct": known}), costs({"direct": known, "alb": known})

    assert "300 requests/s, responses of 38 bytes, 3 tasks in 1 zones" in one
    assert "600 requests/s, responses of 38 bytes, 3 tasks in 1 zones" in both
    assert "both ways together" in both
    assert "both ways together" not in one
    assert "<code>lab costs</code>" in one
