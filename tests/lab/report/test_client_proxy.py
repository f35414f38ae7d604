"""Runs of two ways, API Gateway's discovery and a client proxy: in pages, tables and comparisons."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lab.errors import BadInput
from lab.experiments.compare import compare_ways
from lab.experiments.study import Study, read_measured, read_study, write_study
from lab.report import run_words
from lab.report.answers import comparison_page
from lab.report.document import Heading, Table
from lab.report.pages import run_page, study_page
from lab.report.table import table_page
from load.results import update_meta
from tests.lab.experiments.runs import write_run

Writer = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    """Writes a run in which the way by discovery fails for some seconds and the client proxy for one."""
    rng = np.random.default_rng(22)

    def make(repeat: int = 1, *, name: str = "stop-task", hop: str = "upstream", beside: str = "client-proxy") -> Path:
        folder = write_run(tmp_path / f"{name}-{repeat}", rng, name=name, lingers=3.0, rate=50, repeat=repeat)
        if beside:
            write_run(folder / beside, rng, name=name, arm=beside, lingers=0.5, rate=50, repeat=repeat)
            update_meta(folder, {"experiment": {"name": name, "arm": "direct", "repeat": repeat, "hop": hop}})
        return folder

    return make


def study_of(folders: list[Path]) -> Study:
    folder = folders[0].parent / "study"
    folder.mkdir()
    return write_study(folder, folders, {})


def test_the_answer_names_both_ways(write: Writer) -> None:
    measured = read_measured(write())
    direct, proxy = (measured.findings[arm].failures for arm in ("direct", "client-proxy"))
    assert direct > proxy > 0
    answer = run_words.answer(measured.findings)
    assert answer == (
        f"{direct} of 1,500 requests failed when a task was stopped; through the client proxy of another service "
        f"{proxy} of 1,500 requests failed."
    )


def test_a_page_has_a_part_for_each_way(write: Writer) -> None:
    page = run_page(measured := read_measured(write()))
    heads = [part.text for part in page.parts if isinstance(part, Heading)]
    assert heads[:2] == ["Without a load balancer", "Through the client proxy of another service"]
    assert page.values["load_balancer"] is None
    for values, arm in ((page.values, "direct"), (page.values["client_proxy"], "client-proxy")):
        assert values["failures"] == measured.findings[arm].failures
        assert values["requests"] == 1500
    # Nothing is said of a target group's deregistration delay: there is no load balancer.
    assert run_words.BESIDE not in str(page.parts)


def test_an_error_without_a_host_may_be_the_calling_services(write: Writer) -> None:
    measured = read_measured(write())
    by_way = {arm: run_words.failures(found) for arm, found in measured.findings.items()}
    assert "with 503 from the gateway or a proxy" in by_way["direct"]
    assert "with 503 from the calling service, the gateway or a proxy" in by_way["client-proxy"]


def test_what_left_is_found_in_cloud_map_by_either_way(write: Writer) -> None:
    """A client proxy has no target group whose events would tell."""
    measured = read_measured(write())
    (moment,) = {found.times.deregister for found in measured.findings.values()}
    assert moment == pytest.approx(0.05, abs=0.01)
    assert "Cloud Map" in " ".join(run_words.times(measured.findings["client-proxy"]))


def test_a_table_has_a_column_for_each_way(write: Writer) -> None:
    page = table_page([study_of([write(1), write(2)])])
    table = next(part for part in page.parts if isinstance(part, Table))
    assert [head.split(",")[0] for head in table.head[1:]] == ["no load balancer", "client proxy"]


def test_the_callers_own_tasks_have_a_column_of_their_own(write: Writer) -> None:
    own = write(hop="caller", beside="")
    update_meta(own, {"experiment": {"name": "stop-task", "hop": "caller"}})
    page = table_page([read_study(own)])
    table = next(part for part in page.parts if isinstance(part, Table))
    assert table.head[1] == "tasks of caller"


def test_matrix_csv_has_a_row_for_each_way(write: Writer) -> None:
    study = study_of([write(1), write(2)])
    rows = list(csv.DictReader((study.folder / "matrix.csv").read_text().splitlines()))
    assert [row["arm"] for row in rows] == ["direct", "client-proxy"] * 2
    assert "client proxy" in str(study_page(study).parts)


def test_the_two_ways_are_compared_in_pairs(write: Writer) -> None:
    study = study_of([write(repeat) for repeat in range(1, 9)])
    (found,) = compare_ways(study)
    assert found.paired
    assert found.shown
    assert all(first > second for first, second in zip(found.first, found.second, strict=True))
    page = comparison_page([found], {"A": study})
    table = next(part for part in page.parts if isinstance(part, Table))
    assert table.head[1:3] == ["no load balancer: s of traffic", "client proxy: s of traffic"]


def test_where_a_run_has_a_load_balancer_too_it_is_that_way(write: Writer) -> None:
    """A study of both is compared by one of them, the one that there has been for longer."""
    study = study_of([write(1, name="crash", beside="alb"), write(2, name="crash", beside="client-proxy")])
    (found,) = compare_ways(study)
    assert len(found.first) == 1
    table = next(part for part in comparison_page([found], {"A": study}).parts if isinstance(part, Table))
    assert table.head[2] == "load balancer: s of traffic"


def test_runs_of_one_way_say_how_to_get_two(write: Writer) -> None:
    with pytest.raises(BadInput, match="or with --hop upstream"):
        compare_ways(read_study(write(beside="")))
