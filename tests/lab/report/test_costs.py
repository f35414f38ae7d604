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


def known(run: Run, **settings: float | None) -> Run:
    return replace(run, meta={**run.meta, "response_bytes_mean": 38.0, "settings": settings})


def test_the_answer_comes_first(run: Run) -> None:
    section = costs({"direct": known(run)})

    assert section.index("Is it cheaper? ") < section.index("The proxy&#x27;s share") < section.index("Six ways")
    assert "with that share" in section
    assert "<code>lab costs</code>" in section


def test_the_mean_of_mixed_payloads_is_said_to_be_one(run: Run) -> None:
    mixed = replace(run, meta={**run.meta, "response_bytes_mean": 100_000.0})
    assert "Mixed payloads: all requests are taken to be of the mean size" in costs({"direct": mixed})
    assert "Mixed payloads" not in costs({"direct": known(run)})


@pytest.mark.parametrize("settings", [{}, {"rate": None}, {"rate": 0}])
def test_a_closed_loop_is_priced_at_a_reference_and_not_at_what_the_machine_could_do(
    run: Run, settings: dict[str, float | None]
) -> None:
    section = costs({"direct": known(run, **settings)})

    assert "at 10 requests per second: a reference" in section
    assert "10 requests/s, responses of 38 bytes, 3 tasks in 1 zones" in section
    assert "300 requests" not in section


def test_an_open_loop_is_priced_at_the_rate_that_was_asked_for(run: Run) -> None:
    section = costs({"direct": known(run, rate=25.0)})

    assert "at 25 requests per second: the rate that this run was asked for." in section
    assert "25 requests/s, responses of 38 bytes, 3 tasks in 1 zones" in section


def test_two_ways_are_never_added(run: Run) -> None:
    for settings in ({}, {"rate": 25.0}):
        one, both = costs({"direct": known(run, **settings)}), costs({"direct": known(run, **settings), "alb": run})
        assert both.replace("each of the two ways was asked for, for in production there is one", "") == (
            one.replace("this run was asked for", "")
        )


def test_a_rate_that_is_no_number_is_said(run: Run) -> None:
    assert "rate = " in costs({"direct": known(run, rate=-1.0)})
