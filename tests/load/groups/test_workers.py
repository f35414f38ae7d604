from __future__ import annotations

from load.groups.workers import LostWorker, Workers


def test_a_worker_that_had_users_in_its_last_report_is_lost() -> None:
    workers = Workers()
    workers.start(["a", "b", "c"], 100.0)
    workers.report("a", 103.0, 30, loaded=True)
    workers.report("b", 103.0, 40, loaded=True)
    workers.report("a", 106.0, 20, loaded=True)
    workers.report("b", 106.0, 10, loaded=False)
    assert workers.lost(110.0) == [LostWorker("a", 106.0, 30), LostWorker("c", 100.0, 0)]
    assert workers.lost(104.0) == [LostWorker("c", 100.0, 0)]


def test_a_new_test_forgets_the_workers_of_the_last() -> None:
    workers = Workers()
    workers.start(["a"], 100.0)
    workers.start([], 200.0)
    assert workers.lost(300.0) == []


def test_a_worker_that_was_away_and_reports_again_is_not_lost() -> None:
    workers = Workers()
    workers.start(["a"], 100.0)
    workers.report("a", 103.0, 30, loaded=True)
    assert workers.lost(110.0) == [LostWorker("a", 103.0, 30)]
    workers.report("a", 120.0, 300, loaded=True)
    assert workers.lost(119.0) == []
    workers.report("a", 123.0, 10, loaded=False)
    assert workers.lost(200.0) == []
