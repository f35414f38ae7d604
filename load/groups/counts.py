"""Requests, failures and latency per hostname, and per second: pure, in memory that grows with hosts and seconds.

One `Counts` holds one process's share of a run. Distributed, each worker drains its own into a report, and the
master merges the reports: the sums are those that one process would have counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from load.groups.evenness import EvenPart, even_parts
from load.groups.latency import bucket_of, coarser, percentiles
from load.groups.rows import OTHER_HOSTS, UNKNOWN_HOST, HostRow, LatencyRow, TimelineRow

__all__ = ["MAX_HOSTS", "Counts"]

MAX_HOSTS = 1000
"""Hosts counted each by itself: as many as a Cloud Map service has at most, and a table that can still be read."""


@dataclass(slots=True)
class _Host:
    zone: str
    first_seen: float
    last_seen: float
    requests: int = 0
    failures: int = 0
    latencies: dict[int, int] = field(default_factory=dict)


class Counts:
    """Counts of one process, or of all workers together.

    Times are seconds since the Unix epoch; the second of a request is the one in which its answer was complete.
    `unfinished` is the number of requests that were sent and then ended with the load, before an answer or a failure:
    they are in no other count.
    """

    def __init__(self, max_hosts: int = MAX_HOSTS) -> None:
        self.max_hosts = max_hosts
        self.clear()

    def clear(self) -> None:
        """Forget everything, as Locust does when a test starts or its statistics are reset."""
        self.unfinished = 0
        self._hosts: dict[str, _Host] = {}
        self._timeline: dict[int, dict[tuple[str, int], int]] = {}
        self._latencies: dict[int, dict[int, int]] = {}
        self._second = -1
        self._this_second: dict[tuple[str, int], int] = {}
        self._latencies_now: dict[int, int] = {}

    def admit(self, hostname: str, zone: str, now: float) -> str:
        """Make room for a host that is seen for the first time, and give the name that it is to be counted under.

        Beyond the limit it goes with the others.
        """
        if hostname not in self._hosts and hostname != UNKNOWN_HOST and len(self._hosts) >= self.max_hosts:
            hostname, zone = OTHER_HOSTS, ""
        if hostname not in self._hosts:
            self._hosts[hostname] = _Host(zone, now, now)
        return hostname

    def record(self, now: float, hostname: str, status: int, latency_ms: float | None) -> None:
        """Count one request that ended at `now`; `hostname` "" and `status` 0 where there was no answer.

        Runs with every request of the load, so it does no more than it must. KeyError: `admit` the host first.
        """
        host = self._hosts[hostname]
        host.requests += 1
        # As load.groups.rows.is_failure, whose call every request would pay for.
        if not 0 < status < 400:
            host.failures += 1
        host.last_seen = now
        second = int(now)
        if second != self._second:
            self._second = second
            self._this_second = self._timeline.setdefault(second, {})
            self._latencies_now = self._latencies.setdefault(second, {})
        if latency_ms is not None:
            bucket = bucket_of(latency_ms)
            host.latencies[bucket] = host.latencies.get(bucket, 0) + 1
            self._latencies_now[bucket] = self._latencies_now.get(bucket, 0) + 1
        key = (hostname, status)
        self._this_second[key] = self._this_second.get(key, 0) + 1

    def drain(self) -> dict[str, Any]:
        """What was counted since the last call, in msgpack's types, for `merge`; nothing of it is kept."""
        report = {
            "hosts": [
                [name, h.zone, h.first_seen, h.last_seen, h.requests, h.failures, h.latencies]
                for name, h in self._hosts.items()
            ],
            "timeline": [
                [second, name, status, requests]
                for second, counts in self._timeline.items()
                for (name, status), requests in counts.items()
            ],
            "latency": list(self._latencies.items()),
            "unfinished": self.unfinished,
        }
        self.clear()
        return report

    def merge(self, report: dict[str, Any]) -> int:
        """Add what `drain` gave in another process, and return how many requests that were, without the unfinished."""
        merged = 0
        for name, zone, first_seen, last_seen, requests, failures, latencies in report["hosts"]:
            host = self._hosts[self.admit(name, zone, first_seen)]
            host.first_seen = min(host.first_seen, first_seen)
            host.last_seen = max(host.last_seen, last_seen)
            host.requests += requests
            merged += requests
            host.failures += failures
            _add(host.latencies, latencies)
        for second, name, status, requests in report["timeline"]:
            counts = self._timeline.setdefault(second, {})
            key = (name if name in self._hosts else OTHER_HOSTS, status)
            counts[key] = counts.get(key, 0) + requests
        for second, buckets in report["latency"]:
            _add(self._latencies.setdefault(second, {}), buckets)
        self.unfinished += report["unfinished"]
        return merged

    @property
    def requests(self) -> int:
        """All requests that were answered or failed."""
        return sum(host.requests for host in self._hosts.values())

    @property
    def failures(self) -> int:
        """All failures counted."""
        return sum(host.failures for host in self._hosts.values())

    @property
    def folded(self) -> bool:
        """Whether there were more hosts than are counted each by itself."""
        return OTHER_HOSTS in self._hosts

    def hosts(self) -> list[HostRow]:
        """A row for each host, by name; other hosts and no host come last."""
        total = self.requests
        rows = []
        for name in sorted(self._hosts, key=lambda name: (name in (OTHER_HOSTS, UNKNOWN_HOST), name)):
            host = self._hosts[name]
            p50, p95, p99 = percentiles(host.latencies, (50, 95, 99))
            rows.append(
                HostRow(
                    hostname=name,
                    availability_zone=host.zone,
                    requests=host.requests,
                    failures=host.failures,
                    share=host.requests / total,
                    p50_ms=p50,
                    p95_ms=p95,
                    p99_ms=p99,
                    first_seen=host.first_seen,
                    last_seen=host.last_seen,
                )
            )
        return rows

    def timeline(self, start: int | None = None, before: int | None = None) -> list[TimelineRow]:
        """Requests by second, hostname and status, sorted; with bounds, of the seconds start <= second < before."""
        # With both bounds, which is every second of a run, the cost does not grow with the run.
        seconds = sorted(self._timeline) if start is None or before is None else range(start, before)
        return [
            TimelineRow(second, name, status, requests)
            for second in seconds
            if (start is None or second >= start) and (before is None or second < before)
            for (name, status), requests in sorted(self._timeline.get(second, {}).items())
        ]

    def even_parts(self) -> dict[str, EvenPart]:
        """How far each known host is from its even part over the time in which it was there: `load.groups.evenness`."""
        seconds: dict[int, dict[str, int]] = {}
        for second, counts in self._timeline.items():
            by_host = seconds[second] = {}
            for (name, _), requests in counts.items():
                if name not in (UNKNOWN_HOST, OTHER_HOSTS):
                    by_host[name] = by_host.get(name, 0) + requests
        return even_parts(seconds)

    def latency(self, before: float = math.inf) -> list[LatencyRow]:
        """Requests by second and latency, sorted, of the seconds before `before` that were not dropped yet.

        Requests whose latency is not known are left out.
        """
        return [
            LatencyRow(second, bucket, requests)
            for second in sorted(self._latencies)
            if second < before
            for bucket, requests in sorted(coarser(self._latencies[second]).items())
        ]

    def drop_latency(self, before: float = math.inf) -> None:
        """Forget the latencies of the seconds before `before`: a second has too many of them to keep for a long run."""
        self._latencies = {second: buckets for second, buckets in self._latencies.items() if second >= before}
        self._second = -1

    @property
    def seconds(self) -> tuple[int, int] | None:
        """The first and the last second in which a request ended."""
        return (min(self._timeline), max(self._timeline)) if self._timeline else None


def _add(buckets: dict[int, int], more: dict[int, int]) -> None:
    for bucket, count in more.items():
        buckets[bucket] = buckets.get(bucket, 0) + count
