from __future__ import annotations

import random
import tracemalloc
from collections import Counter
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from load.groups.counts import WINDOW, Counts
from load.groups.latency import bucket_of, coarser
from load.groups.rows import OTHER_GROUPS, LatencyRow, SecondRow, is_failure


def record(
    counts: Counts, now: float, group: str, status: int = 200, *, zone: str = "", ms: float | None = 1.0
) -> None:
    """Count a request as the plugin does."""
    group = counts.admit(group, zone, now)
    counts.record([now, group, status, is_failure(status), ms])


def test_requests_failures_and_latency_are_counted_by_group() -> None:
    counts = Counts()
    for number in range(100):
        record(counts, 1000 + number / 50, "alpha", zone="eu-west-2a", ms=number + 1.0)
    record(counts, 1002.5, "", 0, ms=30_000.0)
    record(counts, 1002.5, "alpha", 503, ms=None)

    alpha, nobody = counts.groups()
    assert (alpha.group, alpha.detail, alpha.requests, alpha.failures) == ("alpha", "eu-west-2a", 101, 1)
    assert (alpha.first_seen, alpha.last_seen) == (1000.0, 1002.5)
    assert abs(alpha.p50_ms - 50) <= 0.5
    assert abs(alpha.p99_ms - 99) <= 1
    assert (nobody.group, nobody.requests, nobody.failures) == ("", 1, 1)
    assert alpha.share + nobody.share == 1
    assert counts.window(1001, 1002) == [SecondRow(1001, "alpha", 200, 50, 0)]
    assert counts.span == (1000, 1002)
    assert counts.take()[0] == [
        SecondRow(1000, "alpha", 200, 50, 0),
        SecondRow(1001, "alpha", 200, 50, 0),
        SecondRow(1002, "", 0, 1, 1),
        SecondRow(1002, "alpha", 503, 1, 1),
    ]
    assert counts.window(1001, 1002) == [SecondRow(1001, "alpha", 200, 50, 0)]
    assert counts.take() == ([], [])


def test_groups_stay_in_the_order_in_which_they_and_their_failures_came() -> None:
    master, workers = Counts(max_groups=3), (Counts(), Counts())
    record(workers[0], 1000.0, "beta")
    record(workers[0], 1000.0, "alpha", 503)
    record(workers[1], 999.0, "")
    record(workers[1], 999.0, "beta", 503)
    for worker in workers:
        master.merge(worker.drain())
    record(master, 1001.0, "one too many", 503)
    record(master, 1002.0, "alpha", 503)
    assert master.names == ["beta", "alpha"]
    assert master.failing_names == ["alpha", "beta"]
    master.reset()
    assert master.groups() == []
    record(master, 1003.0, "alpha")
    record(master, 1003.0, "gamma")
    assert master.names == ["beta", "alpha", "gamma"]
    assert master.failing_names == ["alpha", "beta"]
    master.clear()
    assert master.names == master.failing_names == []


def test_what_locust_takes_for_a_failure_is_one_whatever_its_status() -> None:
    counts = Counts()
    counts.admit("alpha", "", 1000.0)
    counts.record([1000.0, "alpha", 404, False, 1.0])
    counts.record([1000.0, "alpha", 404, True, 1.0])
    assert counts.take()[0] == [SecondRow(1000, "alpha", 404, 2, 1)]
    assert counts.failures == 1


def test_what_comes_in_late_is_given_out_once_and_shown_with_the_rest() -> None:
    counts = Counts()
    for second in (1000, 1001):
        record(counts, second, "alpha")
    assert [row.second for row in counts.take(before=1001)[0]] == [1000]
    record(counts, 1000.5, "alpha")
    assert counts.take(before=1001)[0] == [SecondRow(1000, "alpha", 200, 1, 0)]
    assert counts.window(1000, 1002) == [SecondRow(1000, "alpha", 200, 2, 0), SecondRow(1001, "alpha", 200, 1, 0)]


def test_latency_by_second_adds_up_on_the_master() -> None:
    worker, master = Counts(), Counts()
    for counts in (worker, master):
        record(counts, 1000.1, "alpha", ms=2.0)
        record(counts, 1000.9, "beta", ms=2.0)
        record(counts, 1001.1, "alpha", ms=None)
        record(counts, 1001.2, "alpha", ms=30_000.0)
    master.merge(msgpack.unpackb(msgpack.packb(worker.drain()), strict_map_key=False))

    assert worker.take() == ([], [])
    short, long = coarser({bucket_of(2.0): 1, bucket_of(30_000.0): 1})
    assert master.latencies(1000, 1002) == {1000: {short: 4}, 1001: {long: 2}}
    assert master.take(before=1001)[1] == [LatencyRow(1000, short, 4)]
    record(master, 1001.3, "alpha", ms=30_000.0)
    record(master, 1000.9, "alpha", ms=2.0)
    assert master.take()[1] == [LatencyRow(1000, short, 1), LatencyRow(1001, long, 3)]
    assert master.latencies(1000, 1002) == {1000: {short: 5}, 1001: {long: 3}}


def test_hosts_beyond_the_limit_are_folded_and_nothing_is_lost() -> None:
    counts = Counts(max_groups=3)
    for number in range(10):
        record(counts, 1000.0, f"host-{number}")
    record(counts, 1000.0, "", 0)

    assert counts.folded
    assert [(row.group, row.requests) for row in counts.groups()] == [
        ("host-0", 1),
        ("host-1", 1),
        ("host-2", 1),
        ("", 1),
        (OTHER_GROUPS, 7),
    ]
    assert sum(row.requests for row in counts.take()[0]) == counts.requests == 11


def test_a_hundred_thousand_hosts_are_folded_on_workers_and_on_the_master() -> None:
    worker, master = Counts(max_groups=100), Counts(max_groups=50)
    for number in range(100_000):
        record(worker, 1000.0, f"host-{number}", 503 if number % 10 == 0 else 200)
    assert master.merge(worker.drain()) == 100_000
    assert len(master.groups()) == 51
    assert master.requests == sum(row.requests for row in master.take()[0]) == 100_000
    assert master.failures == 10_000


@pytest.mark.parametrize("status", [0, 200, 204, 304, 399, 400, 404, 429, 500, 503])
def test_a_failure_is_what_the_lab_calls_one(status: int) -> None:
    counts = Counts()
    record(counts, 1000.0, "alpha", status)
    assert counts.failures == counts.groups()[0].failures == is_failure(status) == (status == 0 or status >= 400)


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
    assert counts.groups() == []
    assert counts.take() == ([], [])
    assert counts.even_parts() == {}
    assert counts.requests == counts.failures == 0
    assert counts.span is None


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


def test_memory_does_not_grow_with_the_time_that_a_run_takes() -> None:
    counts = Counts()

    def feed(start: int, seconds: int) -> None:
        for second in range(start, start + seconds):
            for number in range(20):
                record(counts, second + number / 20, f"host-{number}", ms=1.0 + number)
            assert len(counts.take(second)[0]) in (0, 20)

    feed(1000, 300)
    tracemalloc.start()
    feed(1300, 1000)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # What is let go of comes back as what is new; twenty hosts for a thousand seconds would be more than a megabyte.
    assert grown < 400_000
    assert len(counts.window(0, 3000)) <= 20 * (WINDOW + 2)


def test_how_even_a_long_run_was_is_as_if_all_of_it_were_there() -> None:
    rng = random.Random(4)
    written, whole = Counts(), Counts()
    for second in range(1000, 1600):
        there = ["alpha", "beta", *(["gone"] if second < 1200 else []), *(["new"] if second > 1210 else [])]
        for number in range(40):
            group = rng.choice(there)
            for counts in (written, whole):
                record(counts, second + number / 40, group)
        written.take(second)
    assert len(written.window(0, 3000)) < len(whole.window(0, 3000)) / 4
    parts = written.even_parts()
    assert parts == pytest.approx(whole.even_parts())
    assert set(parts) == {"alpha", "beta", "gone", "new"}
    assert all(abs(part.deviation) < part.chance for part in parts.values())


def test_what_is_counted_taken_and_cleared_between_two_pieces_changes_no_figure_of_what_was_there() -> None:
    counts = Counts()
    rng = random.Random(5)
    for second in range(1000, 1100):
        for number in range(10):
            record(counts, second + number / 10, rng.choice(["alpha", "beta", "gamma"]))
    counts.take(1090)
    groups, parts, pieces = counts.groups(), counts.even_parts(), []

    def others() -> None:
        pieces.append(1)
        counts.take(1100)
        record(counts, 1100.5, "alpha")

    assert counts.even_parts(others) == parts
    assert len(pieces) == 25
    counts.clear()
    for _ in range(30):
        record(counts, 1000.0, "alpha")
        record(counts, 1000.0, "beta")
    assert [row.group for row in counts.groups(counts.clear)] == ["alpha"]
    assert [row.group for row in groups] == ["alpha", "beta", "gamma"]


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
    assert master.groups() == alone.groups()
    assert master.even_parts() == alone.even_parts()
    assert master.take() == alone.take()
    assert master.requests == len(arrived)
    assert master.ungrouped == alone.ungrouped == Counter(status for _, host, status in arrived if not host)
