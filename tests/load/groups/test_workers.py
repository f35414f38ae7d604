from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from load.groups.report import lost_sentence
from load.groups.workers import LostWorker, Workers


@given(st.lists(st.tuples(st.sampled_from(["count", "report", "reset"]), st.integers(0, 50), st.booleans())))
def test_of_a_worker_that_is_killed_it_is_known_what_it_had_counted_when_it_was_last_heard_of(
    steps: list[tuple[str, int, bool]],
) -> None:
    """Whatever its rate, how long its messages take, which of them arrive and what it counts after the last."""
    workers = Workers()
    workers.start(["a"], 100.0)
    unreported = reported = missing = 0  # the worker's requests; the missing were in reports that did not arrive
    known, heard = 0, 100.0
    for now, (step, requests, arrives) in enumerate(steps, 101):
        unreported += requests
        if step == "reset":
            unreported = 0
        if step == "report":
            reported += unreported
            if arrives:
                workers.report("a", now, unreported, reported, loaded=True)
            else:
                missing += unreported
            unreported = 0
        elif arrives:
            workers.count("a", now, reported + unreported)
        if arrives:
            known, heard = unreported + missing, float(now)
    (lost,) = workers.lost(1000.0)
    assert (lost.worker, lost.last_heard, lost.requests) == ("a", heard, known)


def test_a_worker_that_had_users_in_its_last_report_is_lost_with_what_it_had_counted_since() -> None:
    workers = Workers()
    workers.start(["a", "b", "c"], 100.0)
    workers.count("a", 102.0, 20)
    workers.report("a", 103.0, 30, 30, loaded=True)
    workers.report("b", 103.0, 40, 40, loaded=True)
    workers.report("a", 106.0, 20, 50, loaded=True)
    workers.count("b", 105.0, 48)
    workers.report("b", 106.0, 10, 50, loaded=False)
    workers.count("a", 107.5, 65)
    assert workers.lost(110.0) == [LostWorker("a", 106.0, 107.5, 15), LostWorker("c", 100.0, 100.0, 0)]
    assert workers.lost(104.0) == [LostWorker("c", 100.0, 100.0, 0)]
    assert workers.unreported(104.0) == ["c"]


def test_a_report_that_was_under_way_does_not_answer_what_was_asked_meanwhile() -> None:
    workers = Workers()
    workers.start(["a", "b", "c"], 100.0)
    workers.report("a", 103.1, 30, 30, loaded=True)  # sent before the master asked at 103.0
    workers.report("b", 103.1, 40, 40, loaded=True, asked=103.0)
    workers.report("c", 103.1, 40, 40, loaded=False)
    assert workers.unanswered(103.0) == ["a"]
    workers.report("a", 103.2, 1, 31, loaded=True, asked=103.0)
    assert workers.unanswered(103.0) == []


def test_a_worker_that_got_users_since_its_last_report_is_lost_from_then_on() -> None:
    workers = Workers()
    workers.start(["a"], 100.0)
    workers.report("a", 103.0, 30, 30, loaded=True)
    workers.report("b", 104.0, 0, 0, loaded=False)  # as soon as it is there
    workers.count("b", 105.0, 0)
    workers.count("c", 105.0, 7)
    workers.report("a", 106.0, 30, 60, loaded=False)
    assert workers.lost(110.0) == [LostWorker("b", 104.0, 105.0, 0), LostWorker("c", 105.0, 105.0, 7)]
    workers.report("b", 107.0, 1, 1, loaded=False)
    workers.report_without("c", 107.0, 0)
    workers.count("c", 108.0, 9)  # of another version: nothing of it is waited for
    assert workers.lost(110.0) == []


def test_of_reports_that_did_not_arrive_the_number_is_exact() -> None:
    workers = Workers()
    workers.start(["a"], 100.0)
    workers.report("a", 103.0, 30, 30, loaded=True)
    workers.report("a", 109.0, 25, 70, loaded=False)
    assert workers.lost(110.0) == [LostWorker("a", 109.0, None, 15)]
    workers.report("a", 110.0, 15, 55, loaded=False)
    assert workers.lost(110.0) == []


def test_a_new_test_forgets_the_workers_of_the_last() -> None:
    workers = Workers()
    workers.start(["a"], 100.0)
    workers.start([], 200.0)
    assert workers.lost(300.0) == []


def test_a_worker_that_was_away_and_reports_again_is_not_lost() -> None:
    workers = Workers()
    workers.start(["a"], 100.0)
    workers.report("a", 103.0, 30, 30, loaded=True)
    assert [lost.worker for lost in workers.lost(110.0)] == ["a"]
    workers.report("a", 120.0, 300, 330, loaded=True)
    assert workers.lost(119.0) == []
    workers.report("a", 123.0, 10, 340, loaded=False)
    assert workers.lost(200.0) == []


def test_reports_that_cannot_be_read_are_counted_and_nothing_more_is_waited_for() -> None:
    workers = Workers()
    workers.start(["a"], 100.0)
    workers.report_without("a", 103.0, 30)
    workers.report_without("a", 106.0, 12)
    assert workers.lost(110.0) == [LostWorker("a", 106.0, None, 42)]
    assert workers.unreported(110.0) == []


def test_the_sentence_says_until_when_the_number_is_known() -> None:
    assert lost_sentence(LostWorker("a", 100.0, 101.5, 1070)) == (
        "Worker a stopped reporting at 00:01:40 UTC. By 00:01:41 UTC it had counted 1,070 requests more, which are in "
        "no count; how many came after that is not known."
    )
