"""`lab run`."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from lab.errors import AnswerIsNo, BadInput

__all__ = ["run"]

_PLAIN_WIDTH = 110  # columns, where the output is no terminal
_INTERRUPTED = 130  # as a shell has it: 128 + SIGINT
EXPERIMENTS = ("stop-task",)


def run(
    experiment: Annotated[str, typer.Argument(help=f"What happens during the load: {', '.join(EXPERIMENTS)}.")],
    target: Annotated[Path, typer.Option(help="The outputs file of the twin, or of `cdktf deploy`.")] = Path(
        ".twin/outputs.json"
    ),
    users: Annotated[int, typer.Option(help="Locust users, each with a connection of its own.")] = 16,
    duration: Annotated[float, typer.Option(help="Seconds of load.")] = 30,
    results: Annotated[Path, typer.Option(help="Where the folder of the run is made.")] = Path("results"),
    check: Annotated[bool, typer.Option("--check", help="End with 1 if a request failed.")] = False,
) -> None:
    """Put load on the service while something happens to a task, and say what the clients saw."""
    if experiment not in EXPERIMENTS:
        raise BadInput(f"There is no experiment {experiment!r}: choose from {', '.join(EXPERIMENTS)}.")
    if users < 1:
        raise BadInput(f"--users {users} is too few: give 1 or more.")
    if not 4 <= duration <= 86_400:
        raise BadInput(f"--duration {duration:g} is out of range: give from 4 to 86400 seconds.")

    from rich.console import Console

    from lab.experiments.findings import find
    from lab.experiments.load import Load
    from lab.experiments.service import EcsService
    from lab.experiments.stop_task import new_folder, stop_task
    from lab.experiments.target import read_target
    from lab.experiments.terminal import Progress, print_findings
    from lab.report import write_report
    from load.results import read_run

    console = Console()
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    where = read_target(target)
    service = EcsService(where)
    tasks = service.require_stable()
    folder = new_folder(results, experiment)
    console.print(f"{experiment}: {users} users on {where.gateway_url} with {tasks} tasks, for {duration:g} s")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a SIGTERM ends in order too
    interrupted = False
    with Progress(console, duration) as progress:
        try:
            stop_task(service, Load(where.gateway_url, users=users, duration=duration, results=folder), progress)
        except KeyboardInterrupt:
            interrupted = True
            progress.note("interrupted: this is what was measured until then")
    measured = read_run(folder)
    findings = find(measured)
    print_findings(console, findings)
    console.print(f"report: {write_report(measured, findings)}", highlight=False, soft_wrap=True)
    if interrupted:
        raise typer.Exit(_INTERRUPTED)
    if check and findings.failures:
        raise AnswerIsNo(f"{findings.failures:,} of {findings.requests:,} requests failed.")
