from __future__ import annotations

import tracemalloc
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from load.groups.counts import Counts
from load.groups.latency import bucket_of, coarser
from load.groups.rows import OTHER_HOSTS, TimelineRow, is_failure


def record(counts: Counts, now: float, host: str, status: int = 200, *, zone: str = "", ms: float | None = 1.0) -> None:
    """Count a request as the listener does."""
    host = counts.admit(host, zone, now)
    counts.record(now, host, status, ms)


def test_requests_failures_and_latency_are_counted_by_host() -> None:
    counts = Counts()
    for number in range(100):
        record(counts, 1000 + number / 50, "alpha", zone="eu-west-2a", ms=number + 1.0)
    record(counts, 1002.5, "", 0, ms=30_000.0)
    record(counts, 1002.5, "alpha", 503, ms=None)

    alpha, nobody = counts.hosts()
    assert (alpha.hostname, alpha.availability_zone, alpha.requests, alpha.failures) == ("alpha", "eu-west-2a", 101, 1)
    assert (alpha.first_seen, alpha.last_seen) == (1000.0, 1002.5)
    assert abs(alpha.p50_ms - 50) <= 0.5
    assert abs(alpha.p99_ms - 99) <= 1
    assert (nobody.hostname, nobody.requests, nobody.failures) == ("", 1, 1)
    assert alpha.share + nobody.share == 1
    assert counts.timeline() == [
        TimelineRow(1000, "alpha", 200, 50),
        TimelineRow(1001, "alpha", 200, 50),
        TimelineRow(1002, "", 0, 1),
        TimelineRow(1002, "alpha", 503, 1),
    ]
    assert counts.timeline(1001, 1002) == [TimelineRow(1001, "alpha", 200, 50)]
    assert counts.seconds == (1000, 1002)


def test_latency_by_second_adds_up_on_the_master() -> None:
    worker, master = Counts(), Counts()
    for counts in (worker, master):
        record(counts, 1000.1, "alpha", ms=2.0)
        record(counts, 1000.9, "beta", ms=2.0)
        record(counts, 1001.1, "alpha", ms=None)
        record(counts, 1001.2, "alpha", ms=30_000.0)
    master.merge(msgpack.unpackb(msgpack.packb(worker.drain()), strict_map_key=False))

    assert [(row.second, row.requests) for row in master.latency()] == [(1000, 4), (1001, 2)]
    assert [row.latency_us for row in master.latency()] == [*coarser({bucket_of(2.0): 1, bucket_of(30_000.0): 1})]
    assert worker.latency() == []
    assert [row.second for row in master.latency(before=1001)] == [1000]
    master.drop_latency(before=1001)
    record(master, 1001.3, "alpha", ms=30_000.0)
    record(master, 1000.9, "alpha", ms=1.0)
    assert [(row.second, row.requests) for row in master.latency()] == [(1000, 1), (1001, 3)]


def test_hosts_beyond_the_limit_are_folded_and_nothing_is_lost() -> None:
    counts = Counts(max_hosts=3)
    for number in range(10):
        record(counts, 1000.0, f"host-{number}")
    record(counts, 1000.0, "", 0)

    assert counts.folded
    assert [(row.hostname, row.requests) for row in counts.hosts()] == [
        ("host-0", 1),
        ("host-1", 1),
        ("host-2", 1),
        ("", 1),
        (OTHER_HOSTS, 7),
    ]
    assert sum(row.requests for row in counts.timeline()) == counts.requests == 11


def test_a_hundred_thousand_hosts_are_folded_on_workers_and_on_the_master() -> None:
    worker, master = Counts(max_hosts=100), Counts(max_hosts=50)
    for number in range(100_000):
        record(worker, 1000.0, f"host-{number}", 503 if number % 10 == 0 else 200)
    assert master.merge(worker.drain()) == 100_000
    assert len(master.hosts()) == 51
    assert master.requests == sum(row.requests for row in master.timeline()) == 100_000
    assert master.failures == 10_000


@pytest.mark.parametrize("status", [0, 200, 204, 304, 399, 400, 404, 429, 500, 503])
def test_a_failure_is_what_the_lab_calls_one(status: int) -> None:
    counts = Counts()
    record(counts, 1000.0, "alpha", status)
    assert counts.failures == counts.hosts()[0].failures == is_failure(status) == (status == 0 or status >= 400)


def test_unfinished_requests_are_added_up_and_in_no_other_count() -> None:
    worker, master = Counts(), Counts()
    for unfinished in (2, 3):
        worker.unfinished += unfinished
        record(worker, 1000.0, "alpha")
        assert master.merge(msgpack.unpackb(msgpack.packb(worker.drain()), strict_map_key=False)) == 1
    assert (worker.unfinished, master.unfinished, master.requests) == (0, 5, 2)
    master.clear()
    assert master.unfinished == 0


def test_nothing_counted_gives_no_rows() -> None:
    counts = Counts()
    assert counts.hosts() == []
    assert counts.timeline() == []
    assert counts.requests == counts.failures == 0
    assert counts.seconds is None


def test_memory_grows_with_hosts_and_seconds_and_not_with_requests() -> None:
    counts = Counts()

    def feed(requests: int) -> None:
        for number in range(requests):
            record(counts, 1000.0 + number % 60, f"host-{number % 3}", ms=1.0 + number % 50)

    feed(1000)
    tracemalloc.start()
    feed(50_000)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 20_000


Request = tuple[float, str, int]
# What may happen, in any order: a worker counts a request, a worker sends a report, a report arrives, a reset.
steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("request"),
            st.integers(0, 2),
            st.sampled_from(["", "alpha", "beta"]),
            st.sampled_from([0, 200, 503]),
        ),
        st.tuples(st.just("report"), st.integers(0, 2)),
        st.tuples(st.just("arrive"), st.integers(0, 20)),
        st.tuples(st.just("reset")),
    ),
    max_size=60,
)


@given(steps)
def test_workers_together_count_what_one_process_would(history: list[tuple[Any, ...]]) -> None:
    workers, master = [Counts() for _ in range(3)], Counts()
    unsent: list[list[Request]] = [[], [], []]
    on_the_way: list[tuple[bytes, list[Request]]] = []
    arrived: list[Request] = []

    def send(worker: int) -> None:
        # As Locust does between processes.
        on_the_way.append((msgpack.dumps(workers[worker].drain()), unsent[worker]))
        unsent[worker] = []

    def arrive(number: int) -> None:
        report, requests = on_the_way.pop(number)
        assert master.merge(msgpack.loads(report, strict_map_key=False)) == len(requests)
        arrived.extend(requests)

    for number, (what, *arguments) in enumerate(history):
        if what == "request":
            worker, host, status = arguments
            now = 1000 + number / 4
            record(workers[worker], now, host, status, ms=now - 999)
            unsent[worker].append((now, host, status))
        elif what == "report":
            send(*arguments)
        elif what == "arrive" and on_the_way:
            # A report may come after later ones, and after a reset.
            arrive(arguments[0] % len(on_the_way))
        elif what == "reset":
            master.clear()
            arrived.clear()
    for worker in range(3):
        send(worker)
    while on_the_way:
        arrive(0)

    alone = Counts()
    for now, host, status in sorted(arrived):
        record(alone, now, host, status, ms=now - 999)
    assert master.hosts() == alone.hosts()
    assert master.timeline() == alone.timeline()
    assert master.requests == len(arrived)
