"""How memory grows with a long run: ten million requests at 3,000 a second from three hosts, in a synthetic feed.

    python benchmarks/listener_memory.py [--requests 10000000]

The claim: less than 5 MB. What grows is the timeline, with seconds and hosts; a thousand requests a second more would
change nothing.
"""

from __future__ import annotations

import argparse
import random
import time

import psutil  # type: ignore[import-untyped]

from load.groups.counts import Counts

START = 1_800_000_000.0


def main() -> None:
    """Feed and print the resident memory before and after."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000_000)
    options = parser.parse_args()
    rng = random.Random(1)
    latencies = [rng.lognormvariate(1.5, 0.6) for _ in range(10_007)]
    hosts = [f"ip-10-0-1-{number}.eu-west-2.compute.internal" for number in range(3)]
    counts = Counts()
    for host in hosts:
        counts.admit(host, "eu-west-2a", START)

    def feed(first: int, last: int) -> None:
        for number in range(first, last):
            status = 200 if number % 1000 else 503
            if number % 3000 == 0:
                # As the recorder does once they are in a file.
                counts.drop_latency(START + number / 3000)
            counts.record(START + number / 3000, hosts[number % 3], status, latencies[number % 10_007])

    # The first second brings what every run has.
    feed(0, 3000)
    before = psutil.Process().memory_info().rss
    began = time.perf_counter()
    feed(3000, options.requests)
    taken = time.perf_counter() - began
    grown = psutil.Process().memory_info().rss - before
    seconds = options.requests // 3000
    print(
        f"{counts.requests:,} requests in {seconds:,} seconds: {grown / 1e6:.1f} MB more; {taken:.0f} s to count them"
    )


if __name__ == "__main__":
    main()
