"""Locust's events, counted per hostname and written to the folder of the run.

Each process counts into one `Counts`: a local runner's is the run's; a worker's goes to the master with Locust's own
reports, in the same message, so that it is merged, lost or reset exactly when Locust's statistics are.
"""

from __future__ import annotations

import platform
import signal
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gevent
import locust
from locust.argument_parser import LocustArgumentParser
from locust.contrib.fasthttp import FastResponse
from locust.env import Environment
from locust.event import Events
from locust.exception import StopTest
from locust.runners import WORKER_REPORT_INTERVAL, MasterRunner, WorkerRunner

from load import results
from load.answers import NO_ANSWER, host_of
from load.errors import LoadError
from load.hostnames import Counts
from load.table import print_table

__all__ = ["HostnameListener", "register"]

_EXIT_UNWRITABLE = 2


def register(events: Events) -> None:
    """Count per hostname in every run of this locustfile; call it where the locustfile is imported.

    So early, the listener to `quitting` comes before the runner's own and, as Locust calls these in reverse, runs
    after the workers' last reports have come in.
    """
    events.init_command_line_parser.add_listener(_add_options)
    listeners: list[HostnameListener] = []

    def on_init(environment: Environment, **_: Any) -> None:
        listener = HostnameListener(environment)
        listeners.append(listener)
        listener.listen()

    def on_quitting(environment: Environment, **_: Any) -> None:
        for listener in listeners:
            listener.quit()

    events.init.add_listener(on_init)
    events.quitting.add_listener(on_quitting)


def _add_options(parser: LocustArgumentParser, **_: Any) -> None:
    parser.add_argument(
        "--results-dir",
        metavar="<folder>",
        default="",
        env_var="LOCUST_RESULTS_DIR",
        include_in_web_ui=False,
        help="Folder of this run: run.json, hostnames.csv, timeline.csv. Default: results/<UTC time>",
    )


@dataclass(slots=True)
class _Run:
    path: Path
    start: float = 0.0
    stopped: float | None = None
    written_before: int | None = None
    """The seconds before this one are in timeline.csv; None: it is to be written anew."""
    completed: int | None = None
    """How many requests the complete files have; None: they are not complete."""


class HostnameListener:
    """What one process of Locust counts, and where the run's numbers go."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.counts = Counts()
        self._is_worker = isinstance(environment.runner, WorkerRunner)
        # A worker's report says what happened up to so many seconds ago.
        self._report_delay = int(WORKER_REPORT_INTERVAL) + 1 if isinstance(environment.runner, MasterRunner) else 0
        self._run: _Run | None = None
        self._failure: str | None = None

    def listen(self) -> None:
        """Hook into Locust; where load starts by itself, the folder of the run is made before any."""
        events, options = self.environment.events, self.environment.parsed_options
        _interrupt_between_requests()
        events.request.add_listener(self._on_request)
        events.test_start.add_listener(self._on_test_start)
        events.spawning_complete.add_listener(self._on_spawning_complete)
        if self._is_worker:
            events.report_to_master.add_listener(self._on_report_to_master)
            return
        events.test_stop.add_listener(self._on_test_stop)
        events.reset_stats.add_listener(self._on_reset)
        events.worker_report.add_listener(self._on_worker_report)
        if options is None or options.headless or options.autostart:
            try:
                self.prepare()
            except LoadError as error:
                print(f"locust: {error}", file=sys.stderr)
                sys.exit(_EXIT_UNWRITABLE)
        gevent.spawn(self._write_every_second)

    def prepare(self) -> None:
        """Make the folder of the next run, unless that is done already. Raises LoadError."""
        if self._run is None or self._run.start:
            named = getattr(self.environment.parsed_options, "results_dir", "")
            path = results.create_run(Path(named) if named else None)
            results.update_meta(path, self._description())
            self._run = _Run(path)

    def quit(self) -> None:
        """Write and print what was measured; called when Locust ends, however it ends."""
        runner = self.environment.runner
        if runner is None or self._is_worker:
            return
        # After SIGTERM the users are still running here: what they do from now on would not be counted.
        runner.quit()
        self._complete()
        if self._failure:
            self.environment.process_exit_code = _EXIT_UNWRITABLE
        total = self.environment.stats.total.num_requests
        if self._run and self.counts.requests != total:
            print(f"locust: {self.counts.requests} requests by hostname, but {total} in all.", file=sys.stderr)

    # Locust's events

    def _on_request(
        self,
        url: str,
        response_time: float | None,
        response: FastResponse | None = None,
        exception: BaseException | None = None,
        **_: Any,
    ) -> None:
        status, body, headers = NO_ANSWER, None, None
        if response is not None and response.status_code:
            status, headers = response.status_code, response.headers
            body = response.content if status == 200 and not exception else None
            if exception and status < 400:
                # The answer broke off, or the locustfile refused it.
                status = NO_ANSWER
        hostname, zone = host_of(url, status, body, headers)
        self.counts.record(time.time(), hostname, zone, status, bool(exception), response_time)

    def _on_test_start(self, **_: Any) -> None:
        if not self._is_worker:
            if self._run and self._run.start:
                self._complete()
            try:
                self.prepare()
            except LoadError as error:
                raise StopTest(str(error)) from None
            assert self._run is not None
            self._run.start = time.time()
            self._write(self._run, partial(results.update_meta, self._run.path, self._description()))
        self.counts.clear()

    def _on_test_stop(self, **_: Any) -> None:
        if self._run:
            self._run.stopped = time.time()

    def _on_spawning_complete(self, **_: Any) -> None:
        if self.environment.reset_stats:
            self._on_reset()

    def _on_reset(self, **_: Any) -> None:
        self.counts.clear()
        if self._run and self._run.completed is not None:
            # A reset after the end empties Locust's statistics, not the files of the run.
            self._run = None
        elif self._run:
            self._run.written_before = None

    def _on_report_to_master(self, data: dict[str, Any], **_: Any) -> None:
        data["hostnames"] = self.counts.drain()

    def _on_worker_report(self, data: dict[str, Any], **_: Any) -> None:
        if "hostnames" in data:
            self.counts.merge(data["hostnames"])

    # Files

    def _write_every_second(self) -> None:
        while True:
            gevent.sleep(1 - time.time() % 1)
            run = self._run
            if run is None or not run.start:
                continue
            if run.stopped is None:
                self._write(run, partial(self._write_progress, run))
            elif time.time() > run.stopped + self._report_delay:
                self._complete()

    def _write_progress(self, run: _Run) -> None:
        before = int(time.time()) - self._report_delay
        rows = self.counts.timeline(run.written_before, before)
        if run.written_before is None:
            results.write_timeline(run.path, rows)
        elif rows:
            results.append_timeline(run.path, rows)
        run.written_before = before
        results.write_hosts(run.path, self.counts.hosts())

    def _complete(self) -> None:
        """Complete the files of the run and print its table; late reports of workers complete it anew."""
        run = self._run
        if run is None or run.completed == self.counts.requests:
            return
        if run.completed is None:
            print_table(self.counts.hosts())
            print(f"Results: {run.path}", file=sys.stderr)
        run.completed = self.counts.requests
        self._failure = None
        self._write(run, partial(self._write_complete, run))

    def _write_complete(self, run: _Run) -> None:
        end = run.stopped or time.time()
        results.write_timeline(run.path, self.counts.timeline())
        results.write_hosts(run.path, self.counts.hosts())
        values = {
            "end": round(end, 3),
            "duration_s": round(end - (run.start or end), 3),
            "requests": self.counts.requests,
            "failures": self.counts.failures,
            "complete": True,
        }
        results.update_meta(run.path, values)

    def _write(self, run: _Run, action: Callable[[], None]) -> None:
        """Do `action`; a failure is said once, and the measuring goes on."""
        try:
            action()
            self._failure = None
        except LoadError as error:
            # What was appended may have been cut off.
            run.written_before = None
            if str(error) != self._failure:
                print(f"locust: {error}", file=sys.stderr)
            self._failure = str(error)

    def _description(self) -> dict[str, Any]:
        options = self.environment.parsed_options or Namespace()
        host = self.environment.host or next((u.host for u in self.environment.user_classes if u.host), None)
        return {
            "target": host,
            "start": round(self._run.start if self._run and self._run.start else time.time(), 3),
            "users": getattr(options, "num_users", None) or 1,
            "settings": {
                "spawn_rate": getattr(options, "spawn_rate", None),
                "run_time_s": getattr(options, "run_time", None),
                "workers": getattr(self.environment.runner, "worker_count", 1),
            },
            "versions": {"locust": locust.__version__, "python": platform.python_version()},
        }


def _interrupt_between_requests() -> None:
    """Let Ctrl-C reach Locust's main greenlet only while no other runs.

    Python raises KeyboardInterrupt wherever it is, so now and then between Locust's count of a request and ours,
    and the sums would differ by one.
    """
    gevent.signal_handler(signal.SIGINT, gevent.kill, gevent.get_hub().parent, KeyboardInterrupt)
