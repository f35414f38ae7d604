"""Locust's events, counted by group, and the outputs fed from the counts.

Each process counts into one `Counts`: a local runner's is the run's; a worker's goes to the master with Locust's own
reports, in the same message, so that it is merged, lost or reset exactly when Locust's statistics are. Of Locust only
what its documentation names is used, but for what `tests/load/groups/test_api.py` lists.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import math
import re
import sys
import time
from collections.abc import Callable, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import gevent
from gevent.lock import BoundedSemaphore
from locust import events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.event import EventHook
from locust.exception import RPCError
from locust.html import get_html_report, process_html_filename
from locust.runners import (
    STATE_MISSING,
    WORKER_REPORT_INTERVAL,
    MasterRunner,
    WorkerRunner,
)

from load.groups import report, web
from load.groups.counts import Counts
from load.groups.evenness import EvenPart
from load.groups.files import CsvFiles
from load.groups.keys import FORMS, Key, key_of, named, parse
from load.groups.pacing import Pacing
from load.groups.rows import NO_ANSWER, NO_GROUP, GroupRow, LatencyRow, SecondRow
from load.groups.table import table
from load.groups.workers import LostWorker, Workers

__all__ = ["Detail", "Groups", "Output", "groups_of", "register", "request_unfinished"]

Detail = tuple[str, str | Key]
"""The title of a second column, and what it shows of the first answer of each group."""

request_unfinished = EventHook()
"""Fired with `environment` by a user whose request was sent and then ended, before an answer or a failure."""

# The master's messages that ask for a worker's report and for its last one, and the seconds that it waits for the last
# of workers that live: one that died is known as missing after three, and one on a crowded machine may need long.
_REPORT_NOW, _LAST_REPORT = "load.groups.report_now", "load.groups.last_report"
_PATIENCE = 20.0

_COUNTED = "load.groups.counted"  # a worker's message, once a second: how many requests it has counted
_REPORT = "load.groups"  # of a worker's report: what is ours
_FORMAT = 1  # of that; a worker with another version of this plugin may have another

# What `noun` cannot be: Locust has a tab, a page or a CSV file of that name.
_TAKEN = {
    "assets",
    "charts",
    "exceptions",
    "failures",
    "logs",
    "ratios",
    "reports",
    "stats",
    "tasks",
    "users",
    "workers",
}

# Seconds between two writings of all groups: to replace a file takes as much as to count several hundred requests.
_REPLACE_EVERY = 5.0

_MOST_NAMES = 20  # of headers, in a sentence

_logger = logging.getLogger(__name__)
_by_environment: WeakKeyDictionary[Environment, Groups] = WeakKeyDictionary()
_registered = False


def register(by: str | Key, noun: str, detail: Detail | None) -> None:
    """What `load.groups.track` does.

    As it is called where the locustfile is imported, the listener to `quitting` comes before the runner's own and, as
    Locust calls these in reverse, runs after the workers' last reports have come in.
    """
    global _registered
    if not re.fullmatch("[a-z]+", noun):
        raise ValueError(f"noun {noun!r}: one word in small letters is needed, such as group.")
    if f"{noun}s" in _TAKEN:
        raise ValueError(f"noun {noun!r}: Locust has {noun}s of its own; choose another word.")
    if _registered:
        raise ValueError("track was called already: requests are counted by one kind of group.")
    _registered = True
    key_of(by)
    key_of(detail[1] if detail else "url-host")
    if isinstance(by, str):
        events.init_command_line_parser.add_listener(lambda parser, **_: _add_option(parser, by))

    def on_init(environment: Environment, **_: Any) -> None:
        groups = Groups(environment, by, noun, detail)
        _by_environment[environment] = groups
        groups.listen()
        environment.events.quit.add_listener(lambda **_: groups.write_report())

    events.init.add_listener(on_init)
    events.quitting.add_listener(lambda environment, **_: groups_of(environment).quit())


def groups_of(environment: Environment) -> Groups:
    """The counts of this process, from Locust's `init` event on."""
    return _by_environment[environment]


def _add_option(parser: LocustArgumentParser, default: str) -> None:
    def checked(text: str) -> str:
        try:
            parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return text

    parser.add_argument(
        "--group-by",
        metavar="<key>",
        default=default,
        type=checked,
        env_var="LOAD_GROUP_BY",
        include_in_web_ui=False,
        help=f"What requests are counted by: {FORMS}. Default: {default}",
    )


def _status(status: object) -> int:
    """HTTP's status, whatever type a client has for it, or NO_ANSWER."""
    try:
        return int(status)  # type: ignore[call-overload, no-any-return]
    except (TypeError, ValueError):
        return NO_ANSWER


def _names(headers: Any) -> list[str]:
    """The names of the headers, as many as can be read in a sentence."""
    try:
        return list(dict.fromkeys(named(name) for name in headers))[:_MOST_NAMES]
    except TypeError:
        return []


class Output(Protocol):
    """Where counts go while a test runs; times are in seconds since the Unix epoch. What it cannot write it reports."""

    def start(self, now: float) -> None:
        """A test starts. StopTest: it must not."""

    def append(self, seconds: Sequence[SecondRow], latency: Sequence[LatencyRow]) -> None:
        """What has not been given before; a second may come again, with what came in late."""

    def replace(self, rows: Sequence[GroupRow]) -> None:
        """All groups, as they are now."""

    def reset(self, now: float) -> None:
        """All counts were cleared."""

    def finish(self, groups: Groups) -> None:
        """The test is over and its counts were given; called again where others come in later."""


class Groups:
    """What one process of Locust counts and, unless it is a worker, where the numbers go.

    `outputs` get the numbers. Each of `remarks` gives a sentence that whoever reads them must know, or "".
    """

    def __init__(self, environment: Environment, by: str | Key, noun: str, detail: Detail | None) -> None:
        self.environment = environment
        self.noun = noun
        self.detail_noun = detail[0] if detail else ""
        self._counts = Counts()
        self._noted: list[Any] = []
        self._on_request = self._listener()
        self.workers = Workers()
        self.outputs: list[Output] = []
        self.remarks: list[Callable[[], str]] = []
        self.is_worker = isinstance(environment.runner, WorkerRunner)
        self.is_master = isinstance(environment.runner, MasterRunner)
        # A worker's report says what happened up to so many seconds ago.
        self.delay = int(WORKER_REPORT_INTERVAL) + 1 if self.is_master else 0
        self._by = by
        self._use(key_of(by))
        self._detail_key = key_of(detail[1]) if detail else None
        # Of one answer without a group that is no failure, which says nothing of its key; None: there was none yet.
        self._headers: list[str] | None = None
        self._reported = 0
        self._asked = 0.0  # when the master has last asked for a report, by its clock
        self._resets: list[float] = []
        self._started = self._stopped = math.inf
        self._completed: tuple[int, int] | None = None
        self._quitting = self._warned = False
        self._replace_after = self._rows_until = 0.0
        self._rows: list[GroupRow] = []
        self._even: dict[str, EvenPart] = {}
        self._computing = BoundedSemaphore()

    def _use(self, key: Key) -> None:
        self._key = key
        self._header: str = getattr(key, "header", "")

    @property
    def _by_text(self) -> str:
        """What requests are counted by; "" for a function that was given to `track`."""
        return "" if callable(self._by) else str(getattr(self.environment.parsed_options, "group_by", self._by))

    def listen(self) -> None:
        """Hook into Locust."""
        environment, on = self.environment, self.environment.events
        on.request.add_listener(self._on_request)
        on.test_start.add_listener(self._on_test_start)
        on.spawning_complete.add_listener(self._on_spawning_complete)
        request_unfinished.add_listener(self._on_unfinished)
        if isinstance(environment.runner, WorkerRunner):
            on.report_to_master.add_listener(self._on_report_to_master)
            on.quitting.add_listener(self._send_last_report)
            environment.runner.register_message(_REPORT_NOW, self._on_report_now, concurrent=True)
            environment.runner.register_message(_LAST_REPORT, self._send_last_report, concurrent=True)
            gevent.spawn(self._send_counted_every_second)
            return
        if isinstance(environment.runner, MasterRunner):
            environment.runner.register_message(_COUNTED, self._on_counted)
        on.test_stop.add_listener(self._on_test_stop)
        on.reset_stats.add_listener(self._on_reset_in_web_ui)
        on.worker_report.add_listener(self._on_worker_report)
        options = environment.parsed_options
        if options is not None and options.csv_prefix:
            self.outputs.append(
                CsvFiles(options.csv_prefix, self.noun, self.detail_noun, options.stats_history_enabled)
            )
        if environment.web_ui is not None:
            web.add_pages(environment.web_ui, self)
        gevent.spawn(self._write_every_second)

    # What others show

    @property
    def counts(self) -> Counts:
        """All that ended until now."""
        self._count()
        return self._counts

    @property
    def is_over(self) -> bool:
        """Whether no test runs and all counts of the last are in."""
        return self._started == math.inf or self._completed is not None

    def lost(self) -> list[LostWorker]:
        """What workers took with them, as far as it is known."""
        now = time.time()
        # While more reports may come, only a worker that left out two of them is taken for lost.
        more = not self._quitting and now <= self._stopped + self.delay
        return self.workers.lost(now - 2 * WORKER_REPORT_INTERVAL if more else now)

    def notes(self, zone: tzinfo | None = None) -> list[str]:
        """What whoever reads the counts must know about them, with times as `table.clock` has them."""
        notes = [report.lost_sentence(worker, zone) for worker in self.lost()]
        if self._resets:
            notes.append(report.reset_sentence(self._resets[-1], zone))
        if self.counts.unfinished:
            notes.append(report.unfinished_sentence(self.counts.unfinished))
        # Until the end, one that has a group may come.
        if self.is_over and self._headers is not None and self.counts.admitted.keys() == {NO_GROUP}:
            notes.append(report.ungrouped_sentence(self.noun, self._by_text, self._headers))
        if self.counts.folded:
            notes.append(report.FOLDED)
        if self._started < math.inf:  # else the counts are of no test, as after a reset since its end
            notes += filter(None, (remark() for remark in self.remarks))
        return notes

    def shown(self) -> tuple[list[GroupRow], dict[str, EvenPart]]:
        """Groups and their even parts for pages that ask every second: as new as 2 % of the process's time allows."""
        with self._computing:
            while time.monotonic() >= self._rows_until:
                self._rows_until = math.inf  # 0 where counts are cleared in one of the pauses: then once more
                pacing = Pacing()
                self._rows, self._even = self.counts.groups(pacing), self.counts.even_parts(pacing)
                if self._rows_until:
                    self._rows_until = time.monotonic() + 50 * pacing.spent
        return self._rows, self._even

    # Locust's events

    def _listener(self) -> Callable[..., None]:
        """What Locust calls with each request: it notes what `Counts.record` takes, and that once a second.

        What is done once a request finds cold caches, and takes several times as long as in a loop. So it is a closure,
        and touches as little memory as there can be: one flat list, and no new object that stays but two numbers.
        """
        note, admitted, clock = self._noted.extend, self._counts.admitted, time.time

        def on_request(
            *,
            response: Any = None,
            url: str = "",
            context: Any = None,
            exception: BaseException | None = None,
            response_time: float | None = None,
            # Named, for to collect them in **_ would take as long as all the rest does.
            request_type: str = "",
            name: str = "",
            response_length: int = 0,
            start_time: float = 0.0,
            **_: Any,
        ) -> None:
            try:
                header = self._header
                group: Any = response.headers[header] if header else self._key(response, url, context, exception)
                # `| 0` raises where it is no integer, and makes one of HTTPStatus.
                note((clock(), admitted[group], response.status_code | 0, exception is not None, response_time))
            except Exception:
                now = clock()
                group = self._group(now, response, url, context, exception)
                status = _status(getattr(response, "status_code", None))
                note((now, group, status, exception is not None, response_time))

        return on_request

    def _count(self) -> None:
        noted = self._noted.copy()
        self._noted.clear()
        self._counts.record(noted)

    def _group(self, now: float, response: Any, url: str, context: Any, exception: BaseException | None) -> str:
        """The name that any request is counted under, which is there from now on."""

        def asked(key: Key) -> str:
            try:
                return named(key(response, url, context, exception))
            except Exception as error:
                if not self._warned:
                    self._warned = True
                    _logger.warning("A request's %s is not known where its key raises this.", self.noun, exc_info=error)
                return NO_GROUP

        group, detail_key = asked(self._key), getattr(self._key, "detail", self._detail_key)
        if group == NO_GROUP and self._headers is None and 0 < _status(getattr(response, "status_code", None)) < 400:
            self._headers = _names(getattr(response, "headers", None))
        if group in self._counts.admitted:
            return group
        return self._counts.admit(group, asked(detail_key) if group != NO_GROUP and detail_key else "", now)

    def _on_unfinished(self, *, environment: Environment, **_: Any) -> None:
        if environment is self.environment:
            self.counts.unfinished += 1

    def _on_test_start(self, **_: Any) -> None:
        # A worker gets its options with the order to start.
        if not callable(self._by):
            try:
                self._use(parse(self._by_text))
            except ValueError as error:
                _logger.error("No request has a %s here: --group-by %s", self.noun, error)
                self._use(parse("header:-"))
        self._reported = 0
        if not self.is_worker:
            self.complete()  # of the last test, some seconds after it
        self._headers = None
        self.counts.clear()
        if self.is_worker:
            self._send_counted()
            return
        now = time.time()
        self._started = math.inf
        for output in self.outputs:
            output.start(now)
        self._started, self._stopped, self._completed, self._resets = now, math.inf, None, []
        self._replace_after = self._rows_until = 0.0
        if isinstance(self.environment.runner, MasterRunner):
            self.workers.start(self.environment.runner.clients, now)

    def _on_test_stop(self, **_: Any) -> None:
        if isinstance(self.environment.runner, MasterRunner):
            # Locust by itself gives them half a second before it quits.
            patience = self.environment.stop_timeout + _PATIENCE
            self._collect_reports(self.environment.runner, _LAST_REPORT, math.inf, patience)
        self._stopped = time.time()

    def _collect_reports(self, master: MasterRunner, ask: str, asked: float, patience: float) -> None:
        """Wait for what workers have not reported, until each has answered what was `asked`, or says that it ends."""
        master.send_message(ask, {"asked": asked})
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            there = {client.id for client in master.clients.all if client.state != STATE_MISSING}
            if there.isdisjoint(self.workers.unanswered(asked)):
                return
            gevent.sleep(0.02)

    def _on_spawning_complete(self, **_: Any) -> None:
        if self.environment.reset_stats:
            self._on_reset()

    def _on_reset_in_web_ui(self, **_: Any) -> None:
        # Locust clears its statistics after this, and those of its workers never: what they have is of before.
        if isinstance(self.environment.runner, MasterRunner):
            self._collect_reports(self.environment.runner, _REPORT_NOW, time.time(), self.delay)
        self._on_reset()

    def _on_reset(self) -> None:
        self.counts.reset()
        self._rows_until = 0.0
        if self.is_worker:
            self._send_counted()
        elif self.is_over:
            self._started = math.inf  # what the outputs have of the last test stays
        else:
            now = time.time()
            self._resets.append(round(now, 3))
            for output in self.outputs:
                output.reset(now)

    def _on_report_to_master(self, data: dict[str, Any], **_: Any) -> None:
        runner = self.environment.runner
        assert runner is not None
        self._reported += self.counts.requests
        own = {"format": _FORMAT, "reported": self._reported, "loaded": runner.user_count > 0, "asked": self._asked}
        data[_REPORT] = {**self.counts.drain(), **own, "headers": self._headers}

    def _send_counted_every_second(self) -> None:
        runner = self.environment.runner
        assert runner is not None
        while True:
            gevent.sleep(1)
            if runner.user_count:
                self._send_counted()

    def _send_counted(self) -> None:
        """Tell the master how many requests were counted in this test: of a worker that is killed it knows that."""
        runner = self.environment.runner
        assert isinstance(runner, WorkerRunner)
        with contextlib.suppress(RPCError):  # Locust connects again, and the next one gets there
            runner.send_message(_COUNTED, {"counted": self._reported + self.counts.requests})

    def _on_counted(self, msg: Any, **_: Any) -> None:
        self.workers.count(msg.node_id, time.time(), msg.data["counted"])

    def _on_worker_report(self, client_id: str, data: dict[str, Any], **_: Any) -> None:
        now, counted = time.time(), data.get(_REPORT) or {}
        if counted.get("format") != _FORMAT:
            self.workers.report_without(client_id, now, data["stats_total"]["num_requests"])
            return
        arrived = self.counts.merge(counted)
        if self._headers is None:
            self._headers = counted.get("headers")
        self.workers.report(client_id, now, arrived, counted["reported"], counted["loaded"], counted.get("asked", 0.0))

    def _on_report_now(self, environment: Environment, msg: Any, **_: Any) -> None:
        """Until 2.46.7 Locust calls who listens to a message concurrently by position, since then by name."""
        self._asked = msg.data["asked"]
        self._send_report()

    def _send_last_report(self, *_: Any, **__: Any) -> None:
        """Stop and report: the master asks, or the worker quits, which in Locust ends without a last report."""
        runner = self.environment.runner
        assert isinstance(runner, WorkerRunner)
        runner.stop()
        # Both may happen at once, and the second stop() returns before the first has ended the users.
        runner.user_greenlets.join(self.environment.stop_timeout + _PATIENCE)
        self._send_report()

    def _send_report(self) -> None:
        runner = self.environment.runner
        assert isinstance(runner, WorkerRunner)
        data: dict[str, Any] = {}
        self.environment.events.report_to_master.fire(client_id=runner.client_id, data=data)
        runner.send_message("stats", data)

    # What becomes of the counts

    def _write_every_second(self) -> None:
        while True:
            gevent.sleep(1 - time.time() % 1)
            now = time.time()
            self._count()
            if self._started < math.inf and self._stopped == math.inf:
                self._write(int(now) - self.delay)
            elif now > self._stopped + self.delay:
                self.complete()

    def _write(self, before: float) -> None:
        seconds, latency = self.counts.take(before)
        for output in self.outputs:
            output.append(seconds, latency)
        if self.outputs and time.monotonic() >= self._replace_after:
            counted = (self._started, self._completed, len(self._resets))
            pacing = Pacing()
            rows = self.counts.groups(pacing)
            if counted != (self._started, self._completed, len(self._resets)):
                return  # the test ended, or its counts were cleared, in one of the pauses
            for output in self.outputs:
                output.replace(rows)
            # At most 1 % of the process's time; the first rows are there at once.
            least = _REPLACE_EVERY if rows else 0.0
            self._replace_after = time.monotonic() + min(60.0, max(least, 100 * pacing.spent))

    def complete(self) -> None:
        """Give out all that there is of a test that is over; again, where more came in since."""
        counted = (self.counts.requests, self.counts.unfinished)
        if self._started == math.inf or self._completed == counted:
            return
        first = self._completed is None
        self._completed = counted
        seconds, latency = self.counts.take()
        rows, even = self.counts.groups(), self.counts.even_parts()
        for output in self.outputs:  # whose remarks are about all of it
            output.append(seconds, latency)
        if first:
            print(table(rows, even, self.notes(), self.noun, self.detail_noun), file=sys.stderr)
        for output in self.outputs:
            output.replace(rows)
            output.finish(self)
        if first:
            total = self.environment.stats.total.num_requests
            if total and counted[0] != total:  # it is 0 where the next test starts already
                _logger.warning("%d requests were counted by %s, but %d in all.", counted[0], self.noun, total)

    def quit(self) -> None:
        """Give out and print what was measured; called when Locust ends, however it ends."""
        runner = self.environment.runner
        if runner is None or self.is_worker:
            return
        if not self.is_master:
            # After SIGTERM the users are still running here: what they do from now on would not be counted.
            runner.quit()
        self._quitting = True
        self.complete()

    def write_report(self) -> None:
        """Put the section into the report of `--html`, as the last thing that this process does.

        Locust has written it before the workers' last reports came in. After SIGTERM it has not, or it writes it while
        the workers are asked to quit.
        """
        options = self.environment.parsed_options
        if self.is_worker or self.environment.runner is None or options is None or not options.html_file:
            return
        process_html_filename(options)
        file, page = Path(options.html_file), get_html_report(self.environment, show_download_link=False)
        rows, even = self.counts.groups(), self.counts.even_parts()
        text = report.with_section(page, rows, even, self.notes(), self.noun, self.detail_noun)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        except OSError as error:
            _logger.warning("%s cannot be written (%s).", file, error.strerror)
