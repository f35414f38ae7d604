"""This project's part of a run in Locust: its options and shapes, how a load ends, and the folder of each run.

The counts are those of `load.groups`; this is one of their outputs.
"""

from __future__ import annotations

import gc
import logging
import os
import platform
import signal
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import gevent
import locust
import psutil  # type: ignore[import-untyped]
from flask import Flask, Response, jsonify, request
from locust import events
from locust.env import Environment
from locust.exception import StopTest
from locust.runners import (
    STATE_CLEANUP,
    STATE_INIT,
    STATE_RUNNING,
    STATE_SPAWNING,
    STATE_STOPPING,
    MasterRunner,
    WorkerRunner,
)
from locust.web import WebUI

from load.errors import BadOption, LoadError
from load.groups.plugin import Groups, groups_of
from load.groups.rows import GroupRow, LatencyRow, SecondRow
from load.rate import behind_sentence, due, is_missed, missed_sentence
from load.traffic.guard import stand_before
from load.traffic.options import add_options, apply_shape, require_host, require_master_port, resolve
from load.traffic.recorder import Recorder
from load.traffic.settings import DEFAULTS, LoadSettings, check
from load.traffic.sharing import tell_users
from load.traffic.user import requests_behind

__all__ = ["register"]

_EXIT_CODE = LoadError.exit_code

# The master's message that ends the requests under way. After SIGTERM they have so many seconds: who sends it may
# follow with SIGKILL, ECS after 30 s.
_END_NOW = "load.end_now"
_TERMINATED_WITHIN = 5.0

# A worker's message, once a test or reset: its requests are behind. And the master's at a reset: say it anew.
_BEHIND, _FORGET_BEHIND = "load.behind", "load.forget_behind"

# Answers that take longer than this after the end of the load are worth a word in the terminal.
_QUIET_WAIT = 2.0

# Why API Gateway answers by itself, by status.
_REFUSALS = {
    404: "is each path of --path-mix a route?",
    429: "the API admits no more. Give a --rate, or a smaller one, or set throttle_rate and throttle_burst.",
}

_WATCH = 0.5  # seconds

_logger = logging.getLogger(__name__)


def register() -> None:
    """Take the options of the load, and write the folder of each run; call it after `track`."""
    events.init_command_line_parser.add_listener(add_options)

    def on_init(environment: Environment, **_: Any) -> None:
        try:
            Listener(environment).listen()
        except LoadError as error:
            _say(str(error))
            _end_workers(environment)
            sys.exit(_EXIT_CODE)

    events.init.add_listener(on_init)
    # A locustfile is imported before the workers of --processes are made. They look for their master before `init`.
    os.register_at_fork(after_in_child=partial(gevent.spawn, _end_with, os.getpid()))
    # Python's last garbage collection took 0.1 s of each run, for what goes with the process anyway.
    events.quit.add_listener(lambda **_: gc.freeze())


def _say(sentence: str) -> None:
    """Tell the user, on stderr: stdout belongs to --json."""
    print(f"locust: {sentence}", file=sys.stderr)


def _end_workers(environment: Environment) -> None:
    """End those of --processes: while they are not connected, they would look for their master for five minutes."""
    if isinstance(environment.runner, MasterRunner):
        for worker in psutil.Process().children():
            worker.terminate()


def _end_with(master: int) -> None:
    """End this worker of --processes with the process that made it, as a terminal would end it.

    Where that could not start, for its port was taken, or was killed, it would join the load of another one there.
    """
    while os.getppid() == master:
        gevent.sleep(_WATCH)
    os.kill(os.getpid(), signal.SIGTERM)


class Listener:
    """One process of Locust; unless it is a worker, an output of its counts: the folder of the run."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.groups = groups_of(environment)
        folder = getattr(environment.parsed_options, "results_dir", "")
        self.recorder = Recorder(Path(folder) if folder else None, _say)
        self._users = 0
        self._changes: list[dict[str, float]] = []
        self._shares: list[tuple[float, float]] = []
        self._behind = False
        self._ending = False
        self._finished = False
        self._quitting = False
        self._signals = 0

    def listen(self) -> None:
        """Hook into Locust; where load starts by itself, the run's folder is made before. Raises LoadError."""
        environment, on, options = self.environment, self.environment.events, self.environment.parsed_options
        resolve(environment)
        require_master_port(environment)
        if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # whoever started it may say that Ctrl-C is not for it
            gevent.signal_handler(signal.SIGINT, self._on_interrupt)
        gevent.signal_handler(signal.SIGTERM, self._on_termination)
        on.quitting.add_listener(self._on_quitting)
        requests_behind.add_listener(self._on_behind)
        for anew in (on.test_start, on.reset_stats):
            anew.add_listener(self._forget_behind)
        if isinstance(environment.runner, WorkerRunner):
            if options is not None:
                # Else each worker of --processes prints a list of its own before the master's: no JSON together.
                options.json = False
            environment.runner.register_message(_END_NOW, self._end_now)
            environment.runner.register_message(_FORGET_BEHIND, self._forget_behind)
            on.test_stop.add_listener(self._be_ready_again)
            return
        self.groups.outputs.append(self)
        self.groups.remarks += [self._missed_rate, *(partial(self._refused, status) for status in _REFUSALS)]
        if isinstance(master := environment.runner, MasterRunner):
            master.register_message(_BEHIND, lambda **_: self._on_behind(environment))
            on.reset_stats.add_listener(lambda **_: master.send_message(_FORGET_BEHIND))
        tell_users(environment, self._on_users, self._on_share)
        on.test_stopping.add_listener(self._on_test_stopping)
        on.test_stop.add_listener(self._on_test_stop)
        apply_shape(environment, LoadSettings.from_options(options).shape)
        if environment.web_ui is not None:
            self._stand_before(environment.web_ui)
        if options is None or options.headless or options.autostart:
            self._prepare()
        # The event loop's clock stood still while modules were imported, and --run-time would be cut by that.
        gevent.get_hub().loop.update_now()

    # The output

    def start(self, now: float) -> None:
        """A test starts; where its folder cannot be made, it does not."""
        try:
            self.recorder.prepare(self._description())
        except LoadError as error:
            raise StopTest(str(error)) from None
        self._finished = False
        self._users, self._changes, self._shares = self._described_users, [], []
        self.recorder.start(now, self._description())

    def append(self, seconds: Sequence[SecondRow], latency: Sequence[LatencyRow]) -> None:
        """What came in since."""
        self.recorder.append(seconds, latency)

    def replace(self, rows: Sequence[GroupRow]) -> None:
        """All hosts as they are now."""
        self.recorder.replace(rows)

    def reset(self, now: float) -> None:
        """Locust's statistics were reset, and with them the counts."""
        self.recorder.reset(now)

    def finish(self, groups: Groups) -> None:
        """Complete the folder, and say where it is."""
        were_due = self._due
        self.recorder.complete(
            time.time(),
            {
                "unfinished": groups.counts.unfinished,
                "due": None if were_due is None else round(were_due),
                "user_changes": self._changes,
                "workers_lost": [asdict(worker) for worker in groups.lost()],
                "hosts_folded": groups.counts.folded,
                # Of the bodies, over all requests: what `lab costs --results` prices.
                "response_bytes_mean": round(self.environment.stats.total.avg_content_length, 1),
            },
        )
        failed = self.recorder.failure
        if failed:
            self.environment.process_exit_code = _EXIT_CODE
        if not self._finished:
            self._finished = True
            print(f"{'Incomplete results' if failed else 'Results'}: {self.recorder.path}", file=sys.stderr)

    def _prepare(self) -> None:
        """Make the folder of the next run, unless it is there already. Raises LoadError."""
        self.groups.complete()
        self.recorder.prepare(self._description())

    def _description(self) -> dict[str, Any]:
        environment, options = self.environment, self.environment.parsed_options or Namespace()
        given = vars(options)
        return {
            "target": environment.host or next((user.host for user in environment.user_classes if user.host), None),
            "users": self._described_users,
            "settings": {
                **{name: given.get(name, default) for name, default in DEFAULTS.items()},
                "rate": check("rate", str(given.get("rate", ""))),
                "payload_bytes": check("payload_bytes", str(given.get("payload_bytes", DEFAULTS["payload_bytes"]))),
                "group_by": given.get("group_by"),
                "spawn_rate": given.get("spawn_rate"),
                "run_time_s": given.get("run_time"),
                "workers": getattr(environment.runner, "worker_count", 1),
            },
            "versions": {"locust": locust.__version__, "python": platform.python_version()},
        }

    @property
    def _described_users(self) -> int:
        return getattr(self.environment.parsed_options, "num_users", None) or 1

    @property
    def _rate(self) -> float | None:
        return LoadSettings.from_options(self.environment.parsed_options).rate

    @property
    def _due(self) -> float | None:
        """How many requests were due while they were counted, once the load has ended; None in a closed loop."""
        rate, counted = self._rate, self.recorder.counted
        return None if rate is None or counted is None else due(rate, self._shares, *counted)

    def _on_users(self, users: int) -> None:
        if users != self._users:
            self._users = users
            self._changes.append({"at": round(time.time(), 3), "users": users})

    def _on_share(self, share: float) -> None:
        now = time.time()
        if not self._shares:
            self.recorder.begin(now)
        if not self._shares or share != self._shares[-1][1]:
            self._shares.append((now, share))

    def _on_behind(self, environment: Environment, **_: Any) -> None:
        """Say it once, to whoever follows the test."""
        rate, runner = self._rate, self.environment.runner
        if environment is not self.environment or self._behind or rate is None:
            return
        self._behind = True
        if isinstance(runner, WorkerRunner):
            runner.send_message(_BEHIND)
        else:
            _logger.warning(behind_sentence(rate))

    def _forget_behind(self, **_: Any) -> None:
        self._behind = False

    def _missed_rate(self) -> str:
        """That requests were sent late, or at the end fewer than were due: until then some are under way."""
        settings, counted = LoadSettings.from_options(self.environment.parsed_options), self.recorder.counted
        if (were_due := self._due) and counted and self.groups.is_over:
            seconds, counts = counted[1] - counted[0], self.groups.counts
            sent = counts.requests + counts.unfinished
            # A shape has less than the rate: its mean.
            asked = settings.rate if settings.shape == DEFAULTS["shape"] else round(were_due / seconds, 1)
            if asked and is_missed(sent, asked, seconds, self._described_users):
                return missed_sentence(sent, round(were_due), asked, seconds, bool(self.groups.lost()))
        return behind_sentence(settings.rate) if self._behind and settings.rate else ""

    def _refused(self, status: int) -> str:
        """That the gateway answered with this status by itself, and why it may have."""
        counts = self.groups.counts
        if not (refused := counts.ungrouped[status]):
            return ""
        total = counts.requests
        which = f"{refused:,} of {total:,}" if refused < total else f"All {refused:,}"
        return f"{which} requests were answered with {status}, no host known: {_REFUSALS[status]}"

    # The web UI: its Start button checks the load's options

    def _stand_before(self, web_ui: WebUI) -> None:
        app, options = web_ui.app, self.environment.parsed_options
        assert isinstance(app, Flask)
        stand_before(app, (options.web_host if options else None) or "")
        swarm = ((options.web_base_path if options else None) or "").rstrip("/") + "/swarm"

        def refused() -> Response | None:
            if sentence := self._refusal(dict(request.form)):
                return jsonify({"success": False, "message": sentence, "host": self.environment.host})
            return None

        protected = web_ui.auth_required_if_enabled(refused)
        app.before_request(lambda: protected() if (request.method, request.path) == ("POST", swarm) else None)

    def _refusal(self, form: dict[str, str]) -> str:
        """Why a test cannot start with what the form says; "" where it can, and then it is prepared."""
        environment = self.environment
        runner, options = environment.runner, environment.parsed_options
        given = {**(vars(options) if options else {}), **{name: form[name] for name in DEFAULTS if name in form}}
        try:
            settings = LoadSettings.from_options(given)
            require_host(environment, form.get("host"))
            if runner is not None and runner.state in (STATE_CLEANUP, STATE_STOPPING):
                raise BadOption("The last test still waits for answers to requests under way; start again after it.")
            if runner is not None and runner.state not in (STATE_SPAWNING, STATE_RUNNING):
                apply_shape(environment, settings.shape)
                self._prepare()
            elif options is not None and settings != LoadSettings.from_options(options):
                raise BadOption("The options of the load cannot be changed while a test runs; stop it first.")
        except LoadError as error:
            return str(error)
        return ""

    # The end of a load: the first signal ends it, the second the requests that it left under way

    def _on_test_stopping(self, **_: Any) -> None:
        self.recorder.end(time.time())
        if not self._ending:
            self._ending = True
            gevent.spawn_later(_QUIET_WAIT, self._say_what_is_awaited)

    def _on_test_stop(self, **_: Any) -> None:
        self._ending = False

    def _say_what_is_awaited(self) -> None:
        if self._ending:
            _say(
                f"The load has ended. Requests under way have up to {self.environment.stop_timeout:g} s to be answered "
                "(--stop-timeout); Ctrl-C ends them now."
            )

    def _be_ready_again(self, **_: Any) -> None:
        # Locust's worker sleeps for the stop timeout after it has stopped; the next test brings it anew. Where Ctrl-C
        # and the master stop it at once, this is called while users are still there, who have that time.
        if (runner := self.environment.runner) and not runner.user_count:
            self.environment.stop_timeout = 0.0

    def _on_interrupt(self) -> None:
        self._signals += 1
        # A terminal's Ctrl-C reaches workers as well as their master, who may be the first to tell them to stop.
        if self._signals == 2 or (self._ending and not self.groups.is_worker):
            self._end_now()
        if self._waits_for_workers:
            self._give_up()
        elif self._signals != 2:
            # Python raises KeyboardInterrupt wherever it is, so now and then between Locust's count of a request and
            # ours, and the sums would differ by one. In the main greenlet, no other runs.
            gevent.kill(gevent.get_hub().parent, KeyboardInterrupt)

    def _on_termination(self) -> None:
        # Locust's own handler, which is called next, ends the load.
        self._signals += 1
        if self._signals == 1:
            gevent.spawn_later(_TERMINATED_WITHIN, self._end_now)
            gevent.spawn(self._end_without_locust)
        else:
            self._end_now()

    def _end_without_locust(self) -> None:
        """Without a browser Locust has no handler of SIGTERM while it waits for workers, nor while a shape goes on."""
        if self._quitting:
            return
        if self._waits_for_workers:
            self._give_up()
        else:
            gevent.kill(gevent.get_hub().parent, KeyboardInterrupt)

    def _on_quitting(self, **_: Any) -> None:
        self._quitting = True

    @property
    def _waits_for_workers(self) -> bool:
        runner, options = self.environment.runner, self.environment.parsed_options
        waits = isinstance(runner, MasterRunner) and runner.state == STATE_INIT
        return waits and options is not None and bool(options.headless)

    def _give_up(self) -> None:
        """End without a test, as Locust does where workers do not come within --expect-workers-max-wait."""
        runner, options = self.environment.runner, self.environment.parsed_options
        assert isinstance(runner, MasterRunner)
        assert options is not None
        _say(
            f"Ended before the load began: {len(runner.clients.ready)} of {options.expect_workers} workers were "
            "connected."
        )
        runner.quit()
        _end_workers(self.environment)
        gevent.kill(gevent.get_hub().parent, SystemExit(1))

    def _end_now(self, **_: Any) -> None:
        """End the requests under way, each of which is then counted as unfinished."""
        runner = self.environment.runner
        if isinstance(runner, MasterRunner):
            runner.send_message(_END_NOW)
        elif runner is not None:
            # The group itself would leave out those that were told to end before.
            gevent.killall(list(runner.user_greenlets), block=False)
