"""`lab run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.errors import AnswerIsNo, BadInput
from lab.experiments.catalogue import ALL, EXPERIMENTS, chosen, fitting

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["run"]

_MOST_USERS = 10_000  # in one process of Locust; more than that it does not bring to their first request
_PLAIN_WIDTH = 140  # columns, where the output is no terminal
_INTERRUPTED = 130  # as a shell has it: 128 + SIGINT


def run(
    experiments: Annotated[
        list[str],
        typer.Argument(
            metavar="EXPERIMENT...", help=f"What happens during the load: {', '.join(EXPERIMENTS)}; or {ALL} of it."
        ),
    ],
    target: Annotated[Path, typer.Option(help="The outputs file of the twin, or of `cdktf deploy`.")] = Path(
        ".twin/outputs.json"
    ),
    users: Annotated[int, typer.Option(help="Locust users, each with a connection of its own.")] = 16,
    duration: Annotated[
        float | None,
        typer.Option(
            help="Seconds of load; what happens does so half-way (after 60 s at most), or earlier where it lasts.",
            show_default="each its own",
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            help="Requests per second, answered or not. Without it users wait for their answers, so that a task that "
            "hangs hides what they would have asked. Each user has 256 requests under way at most.",
            show_default="as many as go",
        ),
    ] = None,
    repeat: Annotated[int, typer.Option(help="How often each is run: every figure then has its spread.")] = 1,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=V1,V2,...",
            help="Run at each value of a setting, such as discovery_ttl or drain_seconds; twice for a grid.",
        ),
    ] = None,
    results: Annotated[Path, typer.Option(help="Where the folders of the runs are made.")] = Path("results"),
    check: Annotated[bool, typer.Option("--check", help="End with 1 if a request failed.")] = False,
) -> None:
    """Put load on the service while something happens to its tasks, and say what the clients saw.

    With a load balancer beside (the setting `comparison`), half of the load takes each of the two ways.
    """
    if users < 1:
        raise BadInput(f"--users {users} is too few: give 1 or more.")
    if users > _MOST_USERS:
        raise BadInput(f"--users {users} is too many for one process of Locust: give {_MOST_USERS} or fewer.")
    if duration is not None and not 4 <= duration <= 86_400:
        raise BadInput(f"--duration {duration:g} is out of range: give from 4 to 86400 seconds.")
    if duration is not None and not duration.is_integer():
        raise BadInput(f"--duration {duration:g} is not in whole seconds, which Locust takes: give {duration:.0f}.")
    if rate is not None and not 0 < rate <= 100_000:
        raise BadInput(f"--rate {rate:g} is out of range: give requests per second, above 0 and at most 100000.")
    if not 1 <= repeat <= 1000:
        raise BadInput(f"--repeat {repeat} is out of range: give from 1 to 1000.")
    chosen(experiments, on_aws=False)  # a misspelt name before a missing file

    from lab.runner.actions import cells, require_drains_end, task_settings
    from lab.runner.service import read_target

    where = read_target(target)
    todo, impossible = chosen(experiments, on_aws=not where.is_twin)
    swept = cells(sweep or [], on_aws=not where.is_twin)

    # All that was given is checked; these take a second or two.
    from rich.console import Console

    from lab.experiments.study import read_measured, write_study
    from lab.experiments.terminal import print_findings, print_matrix
    from lab.report.page import write_report
    from lab.runner.service import Aws, EcsService
    from lab.runner.session import Request, Session, new_folder, raise_on_sigterm

    console = Console()
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    service = EcsService(where, Aws(where))
    service.require_stable()
    require_drains_end(swept, task_settings(service))
    zones = [task.availability_zone for task in service.tasks() if task.is_running]
    todo, too_large = fitting(todo, experiments, zones)
    request = Request(todo, users, duration, rate, repeat, swept, results)
    left_out = {experiment.name: experiment.not_on_aws for experiment in impossible} | too_large
    folders: list[Path] = []

    def done(folder: Path) -> None:
        folders.append(folder)
        measured = read_measured(folder)
        print_findings(console, measured)
        _say_report(console, write_report(measured))

    session = Session(request, where, console, done)
    raise_on_sigterm()
    interrupted = False
    try:
        session.run()
    except KeyboardInterrupt:
        interrupted = True
        console.print("interrupted: this is what was measured until then")
    finally:
        if request.runs > 1 and folders:
            study = write_study(new_folder(results, ALL if ALL in experiments else "study"), folders, left_out)
            print_matrix(console, study)
            _say_report(console, write_report(study))
    if interrupted:
        raise typer.Exit(_INTERRUPTED)
    if check:
        _check(folders)


def _say_report(console: Console, path: Path) -> None:
    console.print(f"report: {path}", highlight=False, soft_wrap=True)


def _check(folders: list[Path]) -> None:
    from lab.experiments.study import read_measured

    found = [findings for folder in folders for findings in read_measured(folder).findings.values()]
    failures, requests = sum(f.failures for f in found), sum(f.requests for f in found)
    if failures:
        raise AnswerIsNo(f"{failures:,} of {requests:,} requests failed.")
