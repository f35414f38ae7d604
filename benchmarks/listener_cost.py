"""What the listener costs: requests per second and CPU time per request, with it and without, in alternation.

    python benchmarks/listener_cost.py [--seconds 40]

One Locust process with FastHttpUser asks a service on loopback, which takes the other core. Every 0.2 s the
listener is taken out of Locust's `request` event or put back, so that both sides have the same process, the same
connections and the same neighbours on the machine. What is written once a second is timed by itself and added.
The claim: at most 1 % of the requests per second.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SERVICE = ROOT / "tests" / "load" / "service.py"

LOCUSTFILE = """
import json, time
from pathlib import Path

import gevent
from locust import events
from load.groups.plugin import groups_of
from locustfile import HostnameUser

SLICE = 0.1
slices = {"with": [], "without": []}
written = 0.0

def alternate(environment):
    groups = groups_of(environment)
    on_request, write = groups._on_request, groups._write

    def timed(before):
        global written
        began = time.process_time()
        write(before)
        written += time.process_time() - began

    def now():
        return environment.stats.total.num_requests, time.perf_counter(), time.process_time() - written

    def measure(side):
        before = now()
        gevent.sleep(SLICE)
        taken = [after - before for after, before in zip(now(), before)]
        if taken[0]:
            slices[side].append(taken)

    groups._write = timed
    while True:
        measure("with")
        environment.events.request.remove_listener(on_request)
        measure("without")
        measure("without")
        environment.events.request.add_listener(on_request)
        measure("with")

def on_stop(environment, **_):
    Path("slices.json").write_text(json.dumps({**slices, "written": written}))

here = []
events.init.add_listener(lambda environment, **_: here.append(environment))
events.spawning_complete.add_listener(lambda **_: gevent.spawn(alternate, here[0]))
events.test_stop.add_listener(on_stop)
"""


def main() -> None:
    """Measure and print both sides and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=40)
    options = parser.parse_args()
    service = subprocess.Popen([sys.executable, str(SERVICE)], stdout=subprocess.PIPE, text=True)
    assert service.stdout is not None
    try:
        url = service.stdout.readline().strip()
        with tempfile.TemporaryDirectory() as folder:
            locustfile = Path(folder) / "alternating.py"
            locustfile.write_text(LOCUSTFILE)
            load = ["--headless", "--only-summary", "-u", "8", "-r", "8", "-t", f"{options.seconds}s", "-H", url]
            subprocess.run(
                [str(Path(sys.executable).with_name("locust")), "-f", str(locustfile), *load],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                check=True,
            )
            slices = json.loads((Path(folder) / "slices.json").read_text())
    finally:
        service.terminate()
        service.wait(10)
    rates = {side: [requests / wall for requests, wall, _ in slices[side]] for side in ("with", "without")}
    costs = {side: [cpu / requests * 1e6 for requests, _, cpu in slices[side]] for side in ("with", "without")}
    for what, of in (("requests/s", rates), ("us of CPU time per request", costs)):
        with_it, without = (statistics.median(of[side]) for side in ("with", "without"))
        print(f"{what}: {with_it:.1f} with, {without:.1f} without: {with_it / without - 1:+.1%}")
    print(f"CPU time for the files: {slices['written'] / options.seconds:.2%} of a core")


if __name__ == "__main__":
    main()
