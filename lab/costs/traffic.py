"""Traffic from elsewhere: a daily profile in a CSV file, or a run that was measured."""

from __future__ import annotations

import csv
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from lab.costs.scenario import Scenario
from lab.errors import BadInput
from lab.records.run import record_of
from load.errors import ResultsMalformed
from load.results import Run, read_run

__all__ = ["asked_rate", "read_measured", "read_profile", "scenario_of_run"]

HEADER = ["hour", "requests_per_second"]


def read_profile(path: Path) -> tuple[Decimal, ...]:
    """The requests/s of each hour of a day, from a CSV file with the columns hour (0 to 23, in order) and
    requests_per_second. Raises BadInput with the line."""
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path} is not a CSV file ({error})") from error
    if not rows or rows[0] != HEADER:
        raise BadInput(f"{path}, line 1: the header must be {','.join(HEADER)}")
    rates = []
    for number, row in enumerate(rows[1:], start=2):
        hour = number - 2
        if len(row) != 2 or row[0].strip() != str(hour) or hour > 23:
            raise BadInput(f"{path}, line {number}: hour {hour} and its requests per second are needed, for 0 to 23")
        try:
            rate = Decimal(row[1].strip())
        except InvalidOperation as error:
            raise BadInput(f"{path}, line {number}: {row[1]!r} is not a number") from error
        if not rate.is_finite() or rate < 0:
            raise BadInput(f"{path}, line {number}: requests per second = {rate} must be a number that is at least 0")
        rates.append(rate)
    if len(rates) != 24:
        raise BadInput(f"{path} has {len(rates)} hours; a day has 24")
    return tuple(rates)


def read_measured(folder: Path) -> Run:
    """The run in *folder*. Raises BadInput if it is none."""
    try:
        return read_run(folder)
    except ResultsMalformed as error:
        raise BadInput(str(error).rstrip(".")) from error


def asked_rate(run: Run) -> Decimal | None:
    """The requests/s that the load of *run* was asked for; None for a closed loop.

    The rate of a closed loop, in which every user asks again once answered, is what the machines could do: nobody has a
    month of it.
    """
    rate = record_of(run).settings.rate
    return Decimal(str(rate)) if rate else None


def scenario_of_run(run: Run, scenario: Scenario, response_bytes: Decimal | None = None) -> Scenario:
    """*scenario* with the payloads, hosts and zones of *run*, and with the rate of an open loop.

    *response_bytes*, if given, stands in for a size not measured. Raises BadInput if the run states no payload size.
    """
    duration = _number(run, run.meta.get("duration_s"), "duration_s")
    if not duration:
        raise BadInput(f"{run.path} has no duration_s above 0 in run.json: the run did not end, or had no requests")
    if response_bytes is None:
        if run.meta.get("response_bytes_mean") is None:
            raise BadInput(
                f"{run.path} has no payload sizes (response_bytes_mean in run.json); give the size with --response-kb"
            )
        response_bytes = _number(run, run.meta["response_bytes_mean"], "response_bytes_mean")
    hosts = [host for host in run.hosts if host.hostname]
    # Hosts at one time, on average: a task that was replaced half-way and its successor count as one.
    seen = sum(Decimal(str(host.last_seen)) - Decimal(str(host.first_seen)) for host in hosts)
    zones = {host.availability_zone for host in hosts} - {""}
    return replace(
        scenario,
        rates=(rate,) if (rate := asked_rate(run)) else scenario.rates,
        request_bytes=_number(run, run.meta.get("request_bytes_mean", scenario.request_bytes), "request_bytes_mean"),
        response_bytes=response_bytes,
        tasks=max(1, round(seen / duration)) if hosts else scenario.tasks,
        azs=len(zones) or scenario.azs,
    )


def _number(run: Run, value: Any, name: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or value < 0:
        raise BadInput(f"{run.path}: {name} = {value!r} in run.json must be a number that is at least 0")
    return Decimal(str(value))
