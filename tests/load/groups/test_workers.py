from __future__ import annotations

from load.groups.report import lost_sentence
from load.groups.workers import LostWorker, Workers


def test_a_worker_that_had_users_in_its_last_report_is_lost_with_what_it_can_have_done_since() -> None:
    workers = Workers()
    workers.start(["a", "b", "c"], 100.0)
    workers.report("a", 103.0, 30, 30, 12, loaded=True)
    workers.report("b", 103.0, 40, 40, 20, loaded=True)
    workers.report("a", 106.0, 20, 50, 9, loaded=True)
    workers.report("b", 106.0, 10, 50, 10, loaded=False)
    workers.heartbeat("a", 107.5, running=True)
    workers.heartbeat("of another run", 107.5, running=False)
    # It was alive 1.5 s after its last report, and may have been for one more; in no second it did more than 12.
    # Of the third nothing is known but what the others did.
    assert workers.lost(110.0) == [LostWorker("a", 106.0, 2.5, 30), LostWorker("c", 100.0, 1.0, 20)]
    assert workers.lost(104.0) == [LostWorker("c", 100.0, 1.0, 20)]
    assert workers.unreported(104.0) == ["c"]


def test_a_worker_that_got_users_since_its_last_report_is_lost_from_then_on() -> None:
    workers = Workers()
    workers.start(["a"], 100.0)
    workers.report("a", 103.0, 30, 30, 12, loaded=True)
    workers.report("b", 104.0, 0, 0, 0, loaded=False)  # as soon as it is there
    workers.heartbeat("b", 105.0, running=True)
    workers.heartbeat("c", 105.0, running=True)
    workers.report("a", 106.0, 30, 60, 12, loaded=False)
    assert workers.lost(110.0) == [LostWorker("b", 104.0, 2.0, 24), LostWorker("c", 105.0, 1.0, 12)]
    workers.report("b", 107.0, 1, 1, 1, loaded=False)
    workers.report_without("c", 107.0, 0)
    workers.heartbeat("c", 108.0, running=True)  # it has no plugin: nothing of it is waited for
    assert workers.lost(110.0) == []


def test_of_reports_that_did_not_arrive_the_number_is_exact() -> None:
    workers = Workers()
    workers.start(["a"], 100.0)
    workers.report("a", 103.0, 30, 30, 12, loaded=True)
    workers.report("a", 109.0, 25, 70, 12, loaded=False)
    assert workers.lost(110.0) == [LostWorker("a", 109.0, 0.0, 15)]
    workers.report("a", 110.0, 15, 55, 12, loaded=False)
    assert workers.lost(110.0) == []


def test_a_new_test_forgets_the_workers_of_the_last() -> None:
    workers = Workers()
    workers.start(["a"], 100.0)
    workers.start([], 200.0)
    assert workers.lost(300.0) == []


def test_a_worker_that_was_away_and_reports_again_is_not_lost() -> None:
    workers = Workers()
    workers.start(["a"], 100.0)
    workers.report("a", 103.0, 30, 30, 12, loaded=True)
    assert [lost.worker for lost in workers.lost(110.0)] == ["a"]
    workers.report("a", 120.0, 300, 330, 40, loaded=True)
    assert workers.lost(119.0) == []
    workers.report("a", 123.0, 10, 340, 10, loaded=False)
    assert workers.lost(200.0) == []


def test_reports_that_cannot_be_read_are_counted_and_nothing_more_is_waited_for() -> None:
    workers = Workers()
    workers.start(["a"], 100.0)
    workers.report_without("a", 103.0, 30)
    workers.report_without("a", 106.0, 12)
    assert workers.lost(110.0) == [LostWorker("a", 106.0, 0.0, 42)]
    assert workers.unreported(110.0) == []


def test_where_no_worker_reported_the_number_is_not_said() -> None:
    workers = Workers()
    workers.start(["a"], 100.0)
    (lost,) = workers.lost(110.0)
    assert lost == LostWorker("a", 100.0, 1.0, 0)
    assert lost_sentence(lost).endswith("at most 1.0 s of its load, or nobody knows how many requests.")
