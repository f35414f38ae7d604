from __future__ import annotations

from load.hostnames import OTHER_HOSTS, Counts
from load.results import TimelineRow


def test_requests_failures_and_latency_are_counted_by_host() -> None:
    counts = Counts()
    for number in range(100):
        counts.record(1000 + number / 50, "alpha", "eu-west-2a", 200, False, number + 1.0)
    counts.record(1002.5, "", "", 0, True, 30_000.0)
    counts.record(1002.5, "alpha", "eu-west-2a", 503, True, None)

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


def test_hosts_beyond_the_limit_are_folded_and_nothing_is_lost() -> None:
    counts = Counts(max_hosts=3)
    for number in range(10):
        counts.record(1000.0, f"host-{number}", "", 200, False, 1.0)
    counts.record(1000.0, "", "", 0, True, 1.0)

    assert counts.folded
    assert [(row.hostname, row.requests) for row in counts.hosts()] == [
        ("host-0", 1),
        ("host-1", 1),
        ("host-2", 1),
        ("", 1),
        (OTHER_HOSTS, 7),
    ]
    assert sum(row.requests for row in counts.timeline()) == counts.requests == 11


def test_nothing_counted_gives_no_rows() -> None:
    counts = Counts()
    assert counts.hosts() == []
    assert counts.timeline() == []
    assert counts.requests == counts.failures == 0
