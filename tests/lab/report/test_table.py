"""`lab table`, and what a terminal shows of one run among several."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from lab.errors import BadInput
from lab.experiments.compare import compare
from lab.experiments.study import Ending, Study, read_measured, read_studies, read_study, write_study
from lab.report.answers import comparison_page
from lab.report.document import Document, Heading, Picture, Sentence, Table
from lab.report.pages import run_in_short, run_page, study_page
from lab.report.run_words import answer, hint, times
from lab.report.table import table_page
from lab.report.terminal import write
from load.results import update_meta
from tests.lab.experiments.runs import write_run


def _runs(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(11)
    return [
        write_run(tmp_path / f"{drain}", rng, lingers=2.0, drain=float(drain), parameters={"drain_seconds": drain})
        for drain in (0, 20)
    ]


def _sentences(page: Document) -> list[str]:
    return [part.text for part in page.parts if isinstance(part, Sentence)]


def test_events_are_rows_and_ways_are_columns(tmp_path: Path) -> None:
    at_once, serves_on = _runs(tmp_path)
    both = write_run(tmp_path / "both", np.random.default_rng(12), lingers=2.0)
    write_run(both / "alb", np.random.default_rng(13), arm="alb")
    page = table_page([read_study(folder) for folder in (both, at_once, serves_on)])

    findings = read_measured(at_once).findings["direct"]
    (table,) = [part for part in page.parts if isinstance(part, Table)]
    assert findings.failures
    assert list(table.head[1:3]) == ["no load balancer, ends at once", "no load balancer, serves on for 20 s"]
    assert len(table.head) == 4
    assert table.head[3].startswith("load balancer")  # and no column of the other way on its stack
    (row,) = table.rows
    assert row[1:] == [f"{findings.failures:,} ({findings.failed_seconds:.1f} s)", "none", "none"]
    assert page.values["cells"][0]["failures"] == [findings.failures]
    assert (
        "The load went on for 19 s after the stop; tasks that were stopped on purpose had ended by then."
        in _sentences(page)
    )


def test_what_a_task_costs_that_ends_after_the_load_is_not_measured(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", np.random.default_rng(14))
    assert "still ran" not in " ".join(times(read_measured(run).findings["direct"]))

    record = json.loads((run / "run.json").read_text())
    for task in record["tasks"]:
        task["execution_stopped_at"] = None
    (run / "run.json").write_text(json.dumps(record))

    assert times(read_measured(run).findings["direct"])[-1] == (
        "When the load ended, 19 s after the stop, gamma still ran: what clients see of the end of it is not measured."
    )
    assert answer(read_measured(run).findings).endswith(" when a task was stopped; the load ended before the task did.")
    page = table_page([read_study(run)])
    (row,) = next(part for part in page.parts if isinstance(part, Table)).rows
    assert row[1:] == ["none*"]
    assert (
        "The load went on for 19 s after the stop. Where a number has a *, the load ended before the tasks did that "
        "were stopped: what clients see after that is not measured, and the number is the least." in _sentences(page)
    )


def test_a_number_of_which_the_end_was_not_seen_is_the_least(tmp_path: Path) -> None:
    """The gateway's list had not expired when the load ended: in each answer, headline and table."""
    rng = np.random.default_rng(22)
    runs = [write_run(tmp_path / name, rng, name=name, lingers=100.0) for name in ("crash", "stop-task")]
    (tmp_path / "study").mkdir()
    study = write_study(tmp_path / "study", runs, {})
    page = study_page(study)
    crash, stop = (read_measured(run).findings["direct"].failures for run in runs)

    assert answer(read_measured(runs[0]).findings).startswith(
        f"At least {crash:,} of 9,000 requests failed when an app"
    )
    assert f" {stop:,}* requests failed when a task was stopped, and {crash:,}* when an" in page.title
    assert f" {crash:,}* of 9,000 requests failed" in study_page(replace(study, measured=study.measured[:1])).title
    (matrix,) = [part for part in page.parts if isinstance(part, Table) and part.head[0] == "experiment"]
    cells = dict(zip(matrix.head, matrix.rows[1], strict=True))
    assert (cells["failed"], cells["failed from-to s"][-1]) == (f"{crash:,}*", "*")
    for each in (page, table_page([study])):
        said = " ".join(_sentences(each))
        assert "Where a number has a *, the load ended while requests failed: what clients see after that" in said
    (table,) = [part for part in table_page([study]).parts if isinstance(part, Table)]
    assert all(row[1].endswith("*") for row in table.rows)


@pytest.mark.parametrize("others_lost", [False, True])
def test_a_study_names_the_runs_that_may_have_been_lucky(tmp_path: Path, others_lost: bool) -> None:
    runs = []
    for repeat in (1, 2):
        loses = others_lost and repeat == 2
        lingers = 3.0 if loses else 0.5
        run = write_run(tmp_path / f"{repeat}", np.random.default_rng(5), lingers=lingers, drain=1.0, repeat=repeat)
        record = json.loads((run / "run.json").read_text())
        record["experiment"]["assumed"] = {"discovery_ttl": 40.0}
        (run / "run.json").write_text(json.dumps(record))
        runs.append(run)
    (tmp_path / "study").mkdir()
    said = _said(write_study(tmp_path / "study", runs, {}))
    assert said.count("This may be luck: stop-task lost none, and a task ended before") == 2 * (not others_lost)


@pytest.mark.parametrize(("used_for", "drain", "lucky"), [(5.0, 1.0, True), (5.0, 0.0, False), (0.5, 1.0, False)])
def test_a_stop_that_lost_nothing_though_the_task_ended_before_the_list_expires_may_be_luck(
    tmp_path: Path, used_for: float, drain: float, lucky: bool
) -> None:
    folder = write_run(tmp_path / "run", np.random.default_rng(5), lingers=0.5, drain=drain)
    record = json.loads((folder / "run.json").read_text())
    record["experiment"]["assumed"] = {"discovery_ttl": used_for}
    (gone,) = [task for task in record["tasks"] if task["hostname"] == "gamma"]
    gone["execution_stopped_at"] = record["discovery"][1]["at"] + 1.04
    (folder / "run.json").write_text(json.dumps(record))
    measured = read_measured(folder)

    assert bool(measured.findings["direct"].failures) is not bool(drain)
    told = "This may be luck: a task ended 1.0 s after it had left Cloud Map, and the gateway uses its list for 5 s."
    assert (told in hint(measured)) is lucky
    assert ("let it serve on for longer than 5 s after SIGTERM" in hint(measured)) is lucky


def test_of_loads_that_are_not_alike_the_shortest_is_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(16)
    runs = [
        write_run(tmp_path / f"{drain}", rng, seconds=seconds, drain=float(drain), parameters={"drain_seconds": drain})
        for drain, seconds in ((0, 21), (20, 39))
    ]
    assert (
        "The load went on for 10 s or more after the stop; tasks that were stopped on purpose had ended by then."
        in _sentences(table_page([read_study(run) for run in runs]))
    )


def test_the_way_has_one_name_in_the_table_and_in_a_comparison(tmp_path: Path) -> None:
    studies = [read_study(run) for run in _runs(tmp_path)]
    page = comparison_page(compare(*studies), dict(zip("AB", studies, strict=True)))

    (table, _) = [part for part in page.parts if isinstance(part, Table)]
    assert [row[1] for row in table.rows] == ["no load balancer"]


def test_without_a_stack_that_has_none_the_way_beside_a_load_balancer_is_a_column(tmp_path: Path) -> None:
    both = write_run(tmp_path / "both", np.random.default_rng(12), lingers=2.0)
    write_run(both / "alb", np.random.default_rng(13), arm="alb")
    (table,) = [part for part in table_page([read_study(both)]).parts if isinstance(part, Table)]

    assert [head.partition(", ends")[0] for head in table.head[1:]] == [
        "no load balancer, on a stack with one",
        "load balancer",
    ]


def test_a_gateway_that_leads_to_a_load_balancer_is_no_way_without_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(14)
    balanced = write_run(tmp_path / "balanced", rng, arm="alb")
    studies = [read_study(balanced), read_study(write_run(tmp_path / "direct", rng, lingers=2.0))]

    (table,) = [part for part in table_page(studies).parts if isinstance(part, Table)]
    assert list(table.head[1:]) == ["no load balancer, ends at once", "load balancer"]
    page = comparison_page(compare(*studies), dict(zip("AB", studies, strict=True)))
    heads = [part.head for part in page.parts if isinstance(part, Table)]
    assert {"A (load balancer)", "B (no load balancer)"} <= set(heads[1])
    (said,) = {answer(each.findings) for each in studies[0].measured}
    assert said == "None of 9,000 requests failed when a task was stopped, through the load balancer."
    assert "Cloud Map" not in " ".join(times(studies[0].measured[0].findings["direct"]))
    assert run_page(studies[0].measured[0]).values["way"] == "alb"


def test_tasks_that_a_target_group_keeps_are_no_measurement_of_going_without(tmp_path: Path) -> None:
    kept, alone = (write_run(tmp_path / name, np.random.default_rng(15)) for name in ("kept", "alone"))
    record = json.loads((kept / "run.json").read_text())["experiment"]
    update_meta(kept, {"experiment": {**record, "task": {**record["task"], "deregistration_delay": 20.0}}})

    (table,) = [part for part in table_page([read_study(kept)]).parts if isinstance(part, Table)]
    assert [head.partition(", ends")[0] for head in table.head[1:]] == ["no load balancer, on a stack with one"]
    assert any(
        "so this is no measurement of going without" in text for text in _sentences(run_page(read_measured(kept)))
    )
    # Beside a stack that has none it is left out.
    (table,) = [part for part in table_page([read_study(kept), read_study(alone)]).parts if isinstance(part, Table)]
    assert list(table.head[1:]) == ["no load balancer, ends at once"]


def test_one_run_among_several_is_its_answer_and_the_story(tmp_path: Path) -> None:
    measured = read_measured(_runs(tmp_path)[0])
    page = run_in_short(measured)

    failed = measured.findings["direct"].failures
    assert page.title.startswith(f"{measured.label}: {failed:,} of ")
    sentences = _sentences(page)
    assert len(sentences) == len(page.parts) == 2
    assert sentences[0].startswith(f"Failed: all {failed:,} with 503")
    assert measured.findings["direct"].stopped[0].partition(".")[0] in sentences[1]


def test_settings_that_meet_one_age_of_the_gateways_list_tell_it_once(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", np.random.default_rng(5), lingers=2.0)
    record = json.loads((run / "run.json").read_text())
    record["faults"][0]["discovery_age_s"] = 2.34
    (run / "run.json").write_text(json.dumps(record))
    measured = read_measured(run)
    first, next_one = ([*_sentences(run_in_short(measured, same_age=same))] for same in (False, True))

    age = "At the stop the gateway's list of tasks was 2.3 s old, by chance. "
    assert first == [*next_one[:-1], f"{age}{next_one[-1]}"]


def test_two_settings_of_one_event_are_compared_in_the_headline(tmp_path: Path) -> None:
    runs = _runs(tmp_path)
    (tmp_path / "study").mkdir()
    page = study_page(write_study(tmp_path / "study", runs, {}))

    failed, requests = [
        [getattr(read_measured(run).findings["direct"], name) for run in runs] for name in ("failures", "requests")
    ]
    pictures = [part for part in page.parts if isinstance(part, Picture)]
    assert [picture.caption.partition(":")[0] for picture in pictures[:2]] == [
        "No load balancer, ends at once",
        "No load balancer, serves on for 20 s",
    ]
    event = read_measured(runs[0]).findings["direct"].experiment.when
    assert page.title == (
        f"Single runs: without a load balancer {failed[0]:,} of {requests[0]:,} requests failed {event} "
        f"if the application ends at once, and none of {requests[1]:,} if the application serves on for 20 s."
    )


def test_several_events_at_one_setting_are_events_and_no_settings(tmp_path: Path) -> None:
    rng = np.random.default_rng(15)
    runs = [
        write_run(tmp_path / name, rng, name=name, lingers=2.0, parameters={"drain_seconds": 0.0})
        for name in ("stop-task", "crash")
    ]
    (tmp_path / "study").mkdir()
    page = study_page(write_study(tmp_path / "study", runs, {}))
    stop, crash = (read_measured(run).findings["direct"].failures for run in runs)
    assert page.title == (
        f"Single runs: without a load balancer {stop} requests failed when a task was stopped, and {crash} when an "
        "application crashed."
    )


def test_a_terminal_says_why_little_failed_beside_a_load_balancer(tmp_path: Path) -> None:
    runs = []
    for name in ("stop-task", "crash"):
        runs.append(write_run(tmp_path / name, np.random.default_rng(12), name=name, lingers=2.0))
        write_run(runs[-1] / "alb", np.random.default_rng(13), name=name, arm="alb")
    (tmp_path / "study").mkdir()
    text = io.StringIO()
    write(study_page(write_study(tmp_path / "study", runs, {})), Console(file=text, width=10_000))
    write(run_page(read_measured(runs[0])), Console(file=text, width=10_000))
    assert text.getvalue().count("keeps each task that leaves for the target group's deregistration delay") == 2


def test_a_terminal_says_that_a_study_was_measured_on_the_twin(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", np.random.default_rng(12))
    record = json.loads((run / "run.json").read_text())
    record["experiment"]["assumed"] = {"discovery_ttl": 5.0}
    (run / "run.json").write_text(json.dumps(record))
    (tmp_path / "study").mkdir()
    text = io.StringIO()
    write(study_page(write_study(tmp_path / "study", [run], {})), Console(file=text, width=10_000))
    assert text.getvalue().count("Measured on the twin") == 1


def test_where_no_sigterm_comes_before_it_is_said_that_the_drain_does_not_matter(tmp_path: Path) -> None:
    """On the page of several, on a terminal and in `lab table`; not of one column, nor of events that are announced."""
    rng = np.random.default_rng(18)
    folders = {
        (name, drain): write_run(
            tmp_path / f"{name}-{drain}", rng, name=name, lingers=1.0, drain=drain, parameters={"drain_seconds": drain}
        )
        for name in ("stop-task", "crash", "hang")
        for drain in (0.0, 20.0)
    }

    def said(*runs: Path) -> list[bool]:
        (folder := tmp_path / f"study-{len(list(tmp_path.iterdir()))}").mkdir()
        study = write_study(folder, runs, {})
        text = io.StringIO()
        write(study_page(study), Console(file=text, width=10_000))
        sentence = "Crash and hang: no SIGTERM comes before requests fail, so serving on changes nothing: columns"
        return [sentence in text.getvalue(), sentence in "".join(_sentences(table_page([study])))]

    assert said(*folders.values()) == [True, True]
    assert said(*(folder for (_, drain), folder in folders.items() if drain)) == [False, False]
    assert said(*(folder for (name, _), folder in folders.items() if name == "stop-task")) == [False, False]


def test_pages_sections_and_tables_are_in_the_order_of_the_experiments(tmp_path: Path) -> None:
    """However they were run: `make compare` has the rollout last, and the load balancer on another twin."""
    rng = np.random.default_rng(19)
    names = ("crash", "stop-task", "rollout")
    both = [write_run(tmp_path / f"{name}-both", rng, name=name) for name in names]
    for name, run in zip(names, both, strict=True):
        write_run(run / "alb", rng, name=name, arm="alb")
    runs = [write_run(tmp_path / name, rng, name=name, lingers=1.0) for name in names]
    (tmp_path / "study").mkdir()
    page = study_page(write_study(tmp_path / "study", [*both, *runs], {}))

    first, matrix, *_ = [part for part in page.parts if isinstance(part, Table)]
    assert [row[0] for row in first.rows] == [
        "When a task was stopped", "During a rollout", "When an application crashed",
    ]  # fmt: skip
    in_order = ["stop-task", "stop-task", "rollout", "rollout", "crash", "crash"]
    assert [row[0] for row in matrix.rows] == [*in_order, "crash"]
    ways = ["no load balancer", "load balancer"]
    assert [row[1] for row in matrix.rows] == [*ways, *ways, ways[0], "no load balancer, on a stack with one", ways[1]]
    assert [part.text.partition(":")[0] for part in page.parts if isinstance(part, Heading) and part.anchor] == in_order
    links = {part.anchor: part.text for part in page.parts if isinstance(part, Heading)}
    assert [links[link].partition(":")[0] for link in matrix.links] == [*in_order, "crash"]


def _unread(folder: Path, drain: float, *, name: str = "stop-task", swept: bool = False) -> Path:
    """A run of a service that ends at once, whatever its drain_seconds."""
    run = write_run(
        folder, np.random.default_rng(20), name=name, lingers=2.0, parameters={"drain_seconds": drain} if swept else {}
    )
    record = json.loads((run / "run.json").read_text())
    record["experiment"]["task"] = {"drain_seconds": drain}
    (run / "run.json").write_text(json.dumps(record))
    return run


@pytest.mark.parametrize(("ran_on", "ending"), [(0.4, Ending.AS_SET), (4.9, Ending.LATER)])
def test_a_service_without_a_drain_that_runs_on_does_not_end_at_once(
    tmp_path: Path, ran_on: float, ending: Ending
) -> None:
    run = write_run(tmp_path / "run", np.random.default_rng(20))
    record = json.loads((run / "run.json").read_text())
    record["experiment"]["task"] = {"drain_seconds": 0.0}
    for task in record["tasks"]:
        if task["stopping_at"] is not None:
            task["execution_stopped_at"] = task["stopping_at"] + ran_on
    (run / "run.json").write_text(json.dumps(record))
    assert read_measured(run).ending is ending


def _said(study: Study) -> str:
    """In the headline, the tables, and the titles of pictures of a study, and by `lab table`."""
    page, table = study_page(study), table_page([study])
    text = io.StringIO()
    for each in (page, table):
        write(each, Console(file=text, width=10_000))
    captions = [part.caption for part in page.parts if isinstance(part, Picture)]
    return " ".join([*captions, *text.getvalue().split()])


def test_a_service_that_does_not_read_its_drain_is_not_said_to_serve_on(tmp_path: Path) -> None:
    runs = [_unread(tmp_path / f"{drain}", drain, swept=True) for drain in (0.0, 20.0)]
    (tmp_path / "study").mkdir()
    said = _said(study := write_study(tmp_path / "study", runs, {}))

    assert "serves on" not in said
    assert "if the application ends at once, though drain_seconds is 20." in said
    assert "20: ends at once" in said
    repeats = "The service ended at once at every drain_seconds (0 and 20): it does not read DRAIN_SECONDS, so these"
    assert said.count(repeats) == 2  # on the page, and by `lab table`
    assert "examples/serve_on.sh" in said
    assert list(table_page([study]).values["cells"][1].items())[1] == (
        "column",
        "no load balancer, ends at once, though drain_seconds is 20",
    )


def test_services_that_follow_their_drain_and_that_do_not_are_not_one_column(tmp_path: Path) -> None:
    """The crash of either is told by the stop of its study, in a study of both too; of single runs it is not known."""
    folders = []
    for name, make in (("not", _unread), ("follows", None)):
        (folder := tmp_path / name).mkdir()
        runs = [
            make(folder / event, 20.0, name=event)
            if make
            else write_run(folder / event, np.random.default_rng(21), name=event, lingers=2.0, drain=20.0)
            for event in ("stop-task", "crash")
        ]
        write_study(folder, runs, {})
        folders.append(folder)
    (table,) = [part for part in table_page(read_studies(folders)).parts if isinstance(part, Table)]
    heads = ["no load balancer, ends at once, though drain_seconds is 20", "no load balancer, serves on for 20 s"]
    assert list(table.head[1:]) == heads
    assert "-" not in [cell for row in table.rows for cell in row]

    (tmp_path / "both").mkdir()
    (tmp_path / "pooled").mkdir()
    study = write_study(tmp_path / "both", folders, {})
    pooled = write_study(tmp_path / "pooled", [each.folder for each in study.measured], {})
    for made, expected in ((study, heads), (pooled, [heads[0], "no load balancer, drain_seconds 20", heads[1]])):
        (table,) = [part for part in table_page([made]).parts if isinstance(part, Table)]
        (first, matrix, *_) = [part for part in study_page(made).parts if isinstance(part, Table)]
        assert sorted(table.head[1:]) == sorted(first.head[1:]) == sorted(expected)
        # The rows of the matrix are the cells of the table, each with a link to a run of its own.
        cells = [cell for row in table.rows for cell in row[1:] if cell != "-"]
        assert len(matrix.rows) == len(set(matrix.links)) == len(cells)
        assert "A service ended at once, though drain_seconds was 20: it does not follow DRAIN_SECONDS." in _said(made)


def test_what_was_not_swept_is_at_the_setting_that_it_had(tmp_path: Path) -> None:
    """Of one that is that of the other's sweep it is a repeat; of what run.json does not know there is a dash."""
    folders = []
    for name, settings, had in (("a", (0.0, 5.0), {}), ("b", (None,), {"discovery_ttl": 5}), ("c", (None,), {})):
        (folder := tmp_path / name).mkdir()
        runs = []
        for number, value in enumerate(settings):
            swept = {} if value is None else {"discovery_ttl": value}
            runs.append(write_run(folder / f"{number}", np.random.default_rng(number), parameters=swept))
            meta = json.loads((runs[-1] / "run.json").read_text())
            update_meta(runs[-1], {"experiment": meta["experiment"] | {"assumed": had | swept}})
        write_study(folder, runs, {}, "lab run stop-task")
        folders.append(folder)
    (tmp_path / "all").mkdir()
    study = write_study(tmp_path / "all", folders, {})
    (matrix,) = [part for part in study_page(study).parts if isinstance(part, Table) and part.links]
    assert matrix.head[1] == "discovery_ttl"
    assert [line[1] for line in matrix.rows] == ["0", "5", "-"]
    (table,) = [part for part in table_page([study]).parts if isinstance(part, Table)]
    assert [head.rpartition(", ")[2] for head in table.head[1:]] == [
        "discovery_ttl 0",
        "discovery_ttl 5",
        "ends at once",
    ]
    assert [cell["runs"] for cell in table_page([study]).values["cells"]] == [1, 2, 1]


def test_loads_and_numbers_of_tasks_that_differ_are_said(tmp_path: Path) -> None:
    def study(name: str, *, rate: int = 0, seconds: int = 30) -> Path:
        (folder := tmp_path / name).mkdir()
        runs = [write_run(folder / event, np.random.default_rng(1), name=event, seconds=seconds) for event in _EVENTS]
        for run in runs:
            tasks = json.loads((run / "run.json").read_text())["tasks"]
            update_meta(run, {"settings": {"rate": rate}, "tasks": tasks[1:] if name == "fewer" else tasks})
        write_study(folder, runs, {}, "lab run stop-task crash")
        return folder

    def said(*folders: Path) -> str:
        (folder := tmp_path / f"study-{len(list(tmp_path.iterdir()))}").mkdir()
        put_together = write_study(folder, folders, {})
        pages = study_page(put_together), table_page(read_studies(folders)), table_page([put_together])
        texts = [[part.text for part in page.parts if isinstance(part, Sentence)] for page in pages]
        told = {"".join(text for text in own if text.startswith("Measured under")) for own in texts}
        assert len(told) == 1
        return told.pop()

    first = study("first")
    assert said(first, study("second")) == ""
    assert said(first, study("closed", rate=70)) == (
        "Measured under different conditions: a closed loop in first; 70 requests/s in closed."
    )
    assert said(first, study("fewer"), study("same")) == (
        "Measured under different conditions: 3 tasks in first and same; 2 tasks in fewer."
    )
    assert said(first, study("shorter", seconds=20)) == (
        "Measured under different conditions: 30 s of stop-task, 30 s of crash in first; "
        "20 s of stop-task, 20 s of crash in shorter."
    )
    # One command gives each event as long as it takes.
    long = write_run(tmp_path / "long", np.random.default_rng(1), seconds=40)
    (tmp_path / "one").mkdir()
    one = write_study(tmp_path / "one", [first / "stop-task", long], {}, "lab run stop-task")
    assert "Measured under" not in _said(one)


_EVENTS = "stop-task", "crash"


def test_the_tasks_of_another_service_are_a_row_and_a_column_of_their_own(tmp_path: Path) -> None:
    """Those that the gateway reaches are the same ones whether or not another service calls them meanwhile."""
    runs = []
    for hop in ("gateway", "upstream", "caller"):
        runs.append(write_run(tmp_path / hop, np.random.default_rng(22), lingers=2.0))
        record = json.loads((runs[-1] / "run.json").read_text())
        record["experiment"]["hop"] = hop
        (runs[-1] / "run.json").write_text(json.dumps(record))
    (tmp_path / "study").mkdir()
    study = write_study(tmp_path / "study", runs, {})
    (table,) = [part for part in table_page([study]).parts if isinstance(part, Table)]
    (matrix, *_) = [part for part in study_page(study).parts if isinstance(part, Table)]

    assert [head.partition(",")[0] for head in table.head[1:]] == ["no load balancer", "tasks of caller"]
    assert len(matrix.rows) == 2
    with pytest.raises(BadInput, match="has runs of several services, or of some that end in other ways, at the same"):
        compare(study, study)


def test_a_crash_alone_tells_nothing_of_the_drain(tmp_path: Path) -> None:
    runs = [_unread(tmp_path / f"{drain}", drain, name="crash", swept=True) for drain in (0.0, 20.0)]
    (tmp_path / "study").mkdir()
    said = _said(write_study(tmp_path / "study", runs, {}))
    assert "serves on" not in said
    assert "ends at once" not in said
    assert "with drain_seconds 20" in said
