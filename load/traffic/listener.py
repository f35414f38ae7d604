"""Locust's events, counted per hostname, and the run's folder, reports and web pages fed from the counts.

Each process counts into one `Counts`: a local runner's is the run's; a worker's goes to the master with Locust's own
reports, in the same message, so that it is merged, lost or reset exactly when Locust's statistics are.
"""

from __future__ import annotations

import math
import platform
import signal
import sys
import time
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gevent
import locust
from locust.contrib.fasthttp import FastResponse
from locust.env import Environment
from locust.event import EventHook, Events
from locust.exception import StopTest
from locust.html import get_html_report, process_html_filename
from locust.runners import STATE_MISSING, WORKER_REPORT_INTERVAL, MasterRunner, WorkerRunner

from load.errors import LoadError
from load.groups import report, web
from load.groups.counts import Counts
from load.groups.evenness import EvenPart
from load.groups.rows import NO_ANSWER
from load.groups.table import print_table
from load.groups.workers import LostWorker, Workers
from load.traffic.answers import host_of, zone_of
from load.traffic.options import add_options, apply_shape, resolve, tell_users
from load.traffic.recorder import Recorder
from load.traffic.settings import DEFAULTS, LoadSettings, check

__all__ = ["HostnameListener", "register", "request_unfinished"]

request_unfinished = EventHook()
"""Fired with `environment` by a user whose request was sent and then ended, before an answer or a failure."""

_EXIT_CODE = LoadError.exit_code

# The master's message that asks for a worker's last report, and the seconds that it waits for the answers of workers
# that live: one that died is known as missing after three, and one on a crowded machine may need long.
_LAST_REPORT = "hostnames_last_report"
_PATIENCE = 20.0

# The master's message that ends the requests under way. After SIGTERM they have so many seconds: who sends it may
# follow with SIGKILL, ECS after 30 s.
_END_NOW = "hostnames_end_now"
_TERMINATED_WITHIN = 5.0

# Answers that take longer than this after the end of the load are worth a word in the terminal.
_QUIET_WAIT = 2.0


def register(events: Events) -> None:
    """Count per hostname in every run of this locustfile; call it where the locustfile is imported.

    So early, the listener to `quitting` comes before the runner's own and, as Locust calls these in reverse, runs
    after the workers' last reports have come in.
    """
    events.init_command_line_parser.add_listener(add_options)
    listeners: list[HostnameListener] = []

    def on_init(environment: Environment, **_: Any) -> None:
        listener = HostnameListener(environment)
        listeners.append(listener)
        try:
            listener.listen()
        except LoadError as error:
            say(str(error))
            sys.exit(_EXIT_CODE)

    def on_quitting(**_: Any) -> None:
        for listener in listeners:
            listener.quit()

    events.init.add_listener(on_init)
    events.quitting.add_listener(on_quitting)


def say(sentence: str) -> None:
    """Tell the user, on stderr: stdout belongs to --json."""
    print(f"locust: {sentence}", file=sys.stderr)


class HostnameListener:
    """What one process of Locust counts and, unless it is a worker, where the numbers go."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.counts = Counts()
        self.workers = Workers()
        self.is_worker = isinstance(environment.runner, WorkerRunner)
        self.is_master = isinstance(environment.runner, MasterRunner)
        self._quitting = False
        self._ending = False
        self._signals = 0
        self._even: dict[str, EvenPart] = {}
        self._even_until = -math.inf
        folder = getattr(environment.parsed_options, "results_dir", "")
        # A worker's report says what happened up to so many seconds ago.
        delay = int(WORKER_REPORT_INTERVAL) + 1 if self.is_master else 0
        self.recorder = Recorder(self.counts, Path(folder) if folder else None, delay, say)

    def listen(self) -> None:
        """Hook into Locust; where load starts by itself, the run's folder is made before. Raises LoadError."""
        environment, events, options = self.environment, self.environment.events, self.environment.parsed_options
        resolve(environment)
        gevent.signal_handler(signal.SIGINT, self._on_interrupt)
        gevent.signal_handler(signal.SIGTERM, self._on_termination)
        events.request.add_listener(self._on_request)
        request_unfinished.add_listener(self._on_unfinished)
        events.test_start.add_listener(self._on_test_start)
        events.spawning_complete.add_listener(self._on_spawning_complete)
        if self.is_worker:
            if options is not None:
                # Else each worker of --processes prints a list of its own before the master's: no JSON together.
                options.json = False
            events.report_to_master.add_listener(self._on_report_to_master)
            events.quitting.add_listener(self._send_last_report)
            assert environment.runner is not None
            environment.runner.register_message(_LAST_REPORT, self._send_last_report, concurrent=True)
            environment.runner.register_message(_END_NOW, self._end_now)
            events.test_stop.add_listener(self._be_ready_again)
            return
        events.test_stopping.add_listener(self._on_test_stopping)
        events.test_stop.add_listener(self._on_test_stop)
        events.reset_stats.add_listener(self._on_reset)
        events.worker_report.add_listener(self._on_worker_report)
        apply_shape(environment, LoadSettings.from_options(options).shape)
        if environment.web_ui is not None:
            web.add_pages(environment.web_ui, self)
        if options is None or options.headless or options.autostart:
            self.prepare()
        gevent.spawn(self._write_every_second)
        # The event loop's clock stood still while modules were imported, and --run-time would be cut by that.
        gevent.get_hub().loop.update_now()

    def prepare(self) -> None:
        """Make the folder of the next run, unless it is there already. Raises LoadError."""
        if self.recorder.started:
            self._complete()
        self.recorder.prepare(self._description())

    def notes(self) -> list[str]:
        """What whoever reads the counts must know about them."""
        notes = [report.lost_sentence(worker, WORKER_REPORT_INTERVAL) for worker in self._lost()]
        if self.recorder.resets:
            notes.append(report.reset_sentence(self.recorder.resets[-1]))
        if self.counts.unfinished:
            notes.append(report.unfinished_sentence(self.counts.unfinished))
        return [*notes, report.FOLDED] if self.counts.folded else notes

    def even_parts(self) -> dict[str, EvenPart]:
        """`Counts.even_parts` for the pages that ask every second: as new as 2 % of the process's time allows.

        They are computed from all seconds of the run, in about 10 ms for an hour.
        """
        now = time.monotonic()
        if now >= self._even_until:
            self._even = self.counts.even_parts()
            self._even_until = now + 50 * (time.monotonic() - now)
        return self._even

    def quit(self) -> None:
        """Write and print what was measured; called when Locust ends, however it ends."""
        runner, options = self.environment.runner, self.environment.parsed_options
        if runner is None or self.is_worker:
            return
        if not self.is_master:
            # After SIGTERM the users are still running here: what they do from now on would not be counted.
            runner.quit()
        self._quitting = True
        self._complete()
        if options is not None and options.html_file:
            self._write_html_report(options)
        if self.recorder.failure:
            self.environment.process_exit_code = _EXIT_CODE

    # Locust's events

    def _on_request(
        self,
        *,
        url: str = "",
        response_time: float | None = None,
        response: FastResponse | None = None,
        exception: BaseException | None = None,
        # Named, for to collect them in **_ would take as long as all the rest does.
        request_type: str = "",
        name: str = "",
        response_length: int = 0,
        context: object = None,
        start_time: float = 0.0,
        **_: Any,
    ) -> None:
        now = time.time()
        status, body, headers = NO_ANSWER, None, None
        if response is not None and (status := response.status_code or NO_ANSWER):
            headers = response.headers
            if not exception:
                body = response.content
            elif status < 400:
                # The answer broke off, or the locustfile refused it.
                status = NO_ANSWER
        hostname = host_of(url, status, body, headers)
        try:
            self.counts.record(now, hostname, status, response_time)
        except KeyError:
            hostname = self.counts.admit(hostname, zone_of(headers) if hostname else "", now)
            self.counts.record(now, hostname, status, response_time)

    def _on_unfinished(self, *, environment: Environment, **_: Any) -> None:
        if environment is self.environment:
            self.counts.unfinished += 1

    def _on_test_start(self, **_: Any) -> None:
        tell_users(self.environment)
        if not self.is_worker:
            now = time.time()
            try:
                self.prepare()
            except LoadError as error:
                raise StopTest(str(error)) from None
            self.recorder.start(now, self._description())
            if isinstance(self.environment.runner, MasterRunner):
                self.workers.start(self.environment.runner.clients, now)
        self.counts.clear()

    def _on_test_stopping(self, **_: Any) -> None:
        self.recorder.end(time.time())
        if not self._ending:
            self._ending = True
            gevent.spawn_later(_QUIET_WAIT, self._say_what_is_awaited)

    def _say_what_is_awaited(self) -> None:
        if self._ending:
            say(
                f"The load has ended. Requests under way have up to {self.environment.stop_timeout:g} s to be answered "
                "(--stop-timeout); Ctrl-C ends them now."
            )

    def _on_test_stop(self, **_: Any) -> None:
        runner = self.environment.runner
        if isinstance(runner, MasterRunner):
            self._collect_last_reports(runner)
        self.recorder.stop(time.time())
        self._ending = False

    def _be_ready_again(self, **_: Any) -> None:
        # Locust's worker sleeps for the stop timeout after it has stopped; the next test brings it anew.
        self.environment.stop_timeout = 0.0

    def _collect_last_reports(self, master: MasterRunner) -> None:
        """Wait for what the workers have not reported; Locust by itself gives them half a second before it quits."""
        master.send_message(_LAST_REPORT)
        deadline = time.monotonic() + self.environment.stop_timeout + _PATIENCE
        while time.monotonic() < deadline:
            there = {client.id for client in master.clients.all if client.state != STATE_MISSING}
            if not any(worker.worker in there for worker in self.workers.lost(math.inf)):
                return
            gevent.sleep(0.02)

    def _on_spawning_complete(self, **_: Any) -> None:
        if self.environment.reset_stats:
            self._on_reset()

    def _on_reset(self, **_: Any) -> None:
        self.counts.clear()
        self.recorder.reset(time.time())

    def _on_report_to_master(self, data: dict[str, Any], **_: Any) -> None:
        runner = self.environment.runner
        assert runner is not None
        data["hostnames"] = {**self.counts.drain(), "loaded": runner.user_count > 0}

    def _on_worker_report(self, client_id: str, data: dict[str, Any], **_: Any) -> None:
        if counted := data.get("hostnames"):
            requests = self.counts.merge(counted)
            self.workers.report(client_id, time.time(), requests, counted["loaded"])

    def _send_last_report(self, **_: Any) -> None:
        """Stop and report: the master asks, or Ctrl-C, after which Locust's workers quit without a last report."""
        runner = self.environment.runner
        assert isinstance(runner, WorkerRunner)
        runner.stop()
        # Both may happen at once, and the second stop() returns before the first has ended the users.
        runner.user_greenlets.join(self.environment.stop_timeout + _PATIENCE)
        runner._send_stats()

    # Signals: the first ends the load, the second the requests that it left under way

    def _on_interrupt(self) -> None:
        self._signals += 1
        # A terminal's Ctrl-C reaches workers as well as their master, who may be the first to tell them to stop.
        if self._signals == 2 or (self._ending and not self.is_worker):
            self._end_now()
        if self._signals != 2:
            # Python raises KeyboardInterrupt wherever it is, so now and then between Locust's count of a request and
            # ours, and the sums would differ by one. In the main greenlet, no other runs.
            gevent.kill(gevent.get_hub().parent, KeyboardInterrupt)

    def _on_termination(self) -> None:
        # Locust's own handler, which is called as well, ends the load.
        self._signals += 1
        if self._signals == 1:
            gevent.spawn_later(_TERMINATED_WITHIN, self._end_now)
        else:
            self._end_now()

    def _end_now(self, **_: Any) -> None:
        """End the requests under way, each of which is then counted as unfinished."""
        runner = self.environment.runner
        if isinstance(runner, MasterRunner):
            runner.send_message(_END_NOW)
        elif runner is not None:
            # The group itself would leave out those that were told to end before.
            gevent.killall(list(runner.user_greenlets), block=False)

    # What becomes of the counts

    def _write_every_second(self) -> None:
        while True:
            gevent.sleep(1 - time.time() % 1)
            now = time.time()
            self.recorder.progress(now)
            if self.recorder.over(now):
                self._complete()

    def _complete(self) -> None:
        more = {
            "workers_lost": [asdict(worker) for worker in self._lost()],
            "hosts_folded": self.counts.folded,
            # Of the bodies, over all requests: what `lab costs --results` prices.
            "response_bytes_mean": round(self.environment.stats.total.avg_content_length, 1),
        }
        if self.recorder.complete(time.time(), more):
            print_table(self.counts.hosts(), self.counts.even_parts(), self.notes())
            print(
                f"{'Incomplete results' if self.recorder.failure else 'Results'}: {self.recorder.path}", file=sys.stderr
            )
            total = self.environment.stats.total.num_requests
            if self.counts.requests != total:
                say(f"{self.counts.requests} requests were counted by hostname, but {total} in all.")

    def _lost(self) -> list[LostWorker]:
        now = time.time()
        # While more reports may come, only a worker that left out two of them is taken for lost.
        more = self.recorder.pending(now) and not self._quitting
        return self.workers.lost(now - 2 * WORKER_REPORT_INTERVAL if more else now)

    def _write_html_report(self, options: Namespace) -> None:
        # Locust wrote it before the workers' last reports came in, and after SIGTERM not at all.
        process_html_filename(options)
        text = report.with_section(
            get_html_report(self.environment, show_download_link=False),
            self.counts.hosts(),
            self.counts.even_parts(),
            self.notes(),
        )
        try:
            Path(options.html_file).write_text(text, encoding="utf-8")
        except OSError as error:
            say(f"The report cannot be written to {options.html_file} ({error.strerror}); name another with --html.")
            self.environment.process_exit_code = _EXIT_CODE

    def _description(self) -> dict[str, Any]:
        environment, options = self.environment, self.environment.parsed_options or Namespace()
        given = vars(options)
        return {
            "target": environment.host or next((user.host for user in environment.user_classes if user.host), None),
            "users": given.get("num_users") or 1,
            "settings": {
                **{name: given.get(name, default) for name, default in DEFAULTS.items()},
                "rate": check("rate", str(given.get("rate", ""))),
                "payload_bytes": check("payload_bytes", str(given.get("payload_bytes", DEFAULTS["payload_bytes"]))),
                "spawn_rate": given.get("spawn_rate"),
                "run_time_s": given.get("run_time"),
                "workers": getattr(environment.runner, "worker_count", 1),
            },
            "versions": {"locust": locust.__version__, "python": platform.python_version()},
        }
