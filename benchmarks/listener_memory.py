"""What many groups and a long run cost the process that counts: memory, and time each second, in a synthetic feed.

    python benchmarks/listener_memory.py [--groups 100] [--seconds 86400]

Each group gets a request a second, as the master of a distributed run is given them: merged, written once, forgotten.
The claim: after its first minutes a run takes no more memory, however long it is. What is given out costs 3 ms a second
with 1,000 groups at most; the totals are written the more seldom the longer they take, 1 % of a core at most.
"""

from __future__ import annotations

import argparse
import time

import psutil  # type: ignore[import-untyped]

from load.groups.counts import WINDOW, Counts

START = 1_800_000_000


def main() -> None:
    """Feed and print the resident memory before and after, and the time for each part of the work."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=86_400)
    options = parser.parse_args()
    names = [f"ip-10-0-{number // 250}-{number % 250}.internal" for number in range(options.groups)]
    counts = Counts()
    for name in names:
        counts.admit(name, "", START)
    spent = {"count": 0.0, "take": 0.0}

    def feed(first: int, last: int) -> None:
        for second in range(first, last):
            began = time.perf_counter()
            for number, name in enumerate(names):
                now = START + second + number / len(names)
                counts.record(now, name, 200, False, 5 + (second * 31 + number * 17) % 97)
            counted = time.perf_counter()
            counts.take(START + second)
            spent["count"] += counted - began
            spent["take"] += time.perf_counter() - counted

    warm = 2 * WINDOW
    feed(0, warm)
    before = psutil.Process().memory_info().rss
    spent |= dict.fromkeys(spent, 0.0)
    feed(warm, options.seconds)
    grown = psutil.Process().memory_info().rss - before
    seconds = options.seconds - warm
    began = time.perf_counter()
    rows = counts.groups()
    totals = time.perf_counter() - began
    began = time.perf_counter()
    counts.even_parts()
    even = time.perf_counter() - began
    print(f"{len(rows):,} groups, {counts.requests:,} requests in {options.seconds:,} s: {grown / 1e6:.1f} MB more")
    count, take = (spent[what] / seconds * 1e3 for what in ("count", "take"))
    print(f"each second: {count:.2f} ms to count, {take:.2f} ms to give out")
    print(f"all totals once: {totals * 1e3:.1f} ms; how even they are: {even * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
