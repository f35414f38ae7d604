"""`lab`: is it even, what did clients see? Every command and option but those of `lab costs`, and nothing else.

Each command reads values, makes a page of them (lab.report) and writes it. Heavy imports (scipy, matplotlib, boto3) are
inside of the functions, so that `lab --help` stays quick.
"""

from __future__ import annotations

import gc
import os
import re
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from lab.cli_common import PLAIN, Json, print_page
from lab.distribution.gateway import Gateway, Policy
from lab.errors import AnswerIsNo, BadInput, LabError
from lab.experiments.catalogue import ALL, GATEWAY, UPSTREAM, chosen, fitting, require_duration
from lab.printable import printable
from load.errors import LoadError

if TYPE_CHECKING:
    from lab.distribution.judgement import Analysis
    from lab.records.observations import Hops
    from lab.report.document import Document

_PATH = re.compile("/([A-Za-z0-9._~%-][A-Za-z0-9._~%/?&=-]*)?")  # as `locust --path-mix` has it
_INTERRUPTED = 128 + signal.SIGINT  # as a shell has it
_MOST_REQUESTS = 10**15  # of a simulated run
_SEED = 1  # of the simulated gateways that runs are compared with: the same files give the same answer


class _Commands(TyperGroup):
    """Those below, and `costs`, whose options are the inputs of the cost model: no other command waits for them."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.commands:
            self._add_costs()
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: Any) -> list[str]:
        self._add_costs()
        return super().list_commands(ctx)

    def _add_costs(self) -> None:
        from lab.cli_costs import app as costs

        self.add_command(typer.main.get_command(costs), "costs")


app = typer.Typer(
    cls=_Commands, help="Is it even, what did clients see, what does it cost?", no_args_is_help=True, **PLAIN
)

_TARGET = typer.Option(
    default_factory=lambda: Path(os.environ.get("TWIN_STATE", ".twin")) / "outputs.json",
    show_default=".twin/outputs.json",
    help="The outputs file of the twin, of `cdktf deploy`, or of `terraform output -json`. Where it is absent beside a "
    "twin's state, that twin is asked.",
)
_SERVICE = typer.Option(None, metavar="[CLUSTER/]NAME", help="Of a twin that serves several ECS services, the one.")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"lab {version('serviceconnect')}")
        raise typer.Exit


@app.callback()
def _lab(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Is it even, what did clients see, what does it cost?"""


@contextmanager
def _while_it_is_read() -> Iterator[None]:
    """Where nobody reads the output any more, end without a word, with what SIGPIPE gives other programs: 141."""
    try:
        try:
            yield
        finally:
            print(end="", flush=True)  # of what is left Python itself would complain
    except (BrokenPipeError, SystemExit) as end:
        # click and rich end with 1 because of it.
        if isinstance(end, SystemExit) and not isinstance(end.__context__, BrokenPipeError):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)


@_while_it_is_read()
def main() -> None:
    """Run `lab`; an error of the lab, or of the files of a load, becomes one sentence on stderr and its exit code."""
    # Short runs that make hundreds of thousands of objects: a tenth of their time goes to looking for cycles otherwise.
    gc.set_threshold(100_000, 20, 20)
    try:
        app()
    except (LabError, LoadError) as error:
        print(f"lab: {printable(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)


@app.command()
def run(
    experiments: list[str] | None = typer.Argument(
        None, metavar="EXPERIMENT", help=f"What happens during the load (see --list), or `{ALL}`."
    ),
    target: Path = _TARGET,
    service: str | None = _SERVICE,
    users: int = typer.Option(16, help="Locust users, each with a connection of its own."),
    duration: float | None = typer.Option(
        None,
        help="Seconds of load; what happens does so half-way (after 60 s at most), or earlier where it takes long.",
        show_default="each its own",
    ),
    shortest: bool = typer.Option(
        False,
        "--shortest",
        help="On a twin: each experiment for the least load in which it runs its course, to the tasks' end.",
    ),
    outlast: bool = typer.Option(
        False,
        "--outlast",
        help="On a twin: let what happens have so much more than --duration as stopped tasks take to end "
        "(drain_seconds; of one that ignores SIGTERM the page has the --duration that lasts until its SIGKILL), or the "
        "gateway's list to expire.",
    ),
    rate: float = typer.Option(
        100,
        help="Requests per second, answered or not; each user has 256 of them under way at most. 0: users wait for "
        "their answers and ask at once again, so that a task that hangs hides what they would have asked.",
    ),
    path: str = typer.Option(
        "/hostname", help="What is asked for; hosts are told apart by `x-hostname` in the answers."
    ),
    hop: str = typer.Option(
        GATEWAY,
        help="`upstream`: half of the load asks a service that calls this one, `GET /call?service=...` as the stack of "
        "examples/services has it, and hosts are told apart by `x-upstream-hostname`. The name of that service: all of "
        "the load asks it, and what happens does so to its tasks.",
    ),
    repeat: int = typer.Option(1, help="How often each is run: every figure then has its spread."),
    sweep: list[str] | None = typer.Option(
        None,
        metavar="NAME=V1,V2,...",
        help="Run at each value of a setting, such as discovery_ttl or drain_seconds; twice for a grid.",
    ),
    results: Path = typer.Option(Path("results"), help="Where the folders of the runs are made."),
    check: bool = typer.Option(False, "--check", help="End with 1 if a request failed."),
    max_failed: str | None = typer.Option(
        None, metavar="PERCENT", help="End with 1 if more of the requests failed, of any run and way."
    ),
    listing: bool = typer.Option(False, "--list", help="List the experiments, with their times, and end."),
    no_wait: bool = typer.Option(
        False,
        "--no-wait",
        help="Begin before tasks are HEALTHY, and end while what was put back is on its way: of a twin for this alone.",
    ),
    summary: bool = typer.Option(
        True,
        "--summary/--no-summary",
        help="Of several runs, their page in the end; without it `lab table` and `lab report` make one of their study.",
    ),
    as_json: Json = False,
) -> None:
    """Put load on the service while something happens to its tasks, and say what the clients saw.

    With a load balancer beside (the setting `comparison`), or with --hop upstream, half of the load takes each of the
    two ways. With --hop SERVICE the tasks are those of a service that calls this one.
    """
    if listing:
        from lab.report.answers import experiments_page

        print_page(experiments_page(), as_json=as_json)
        return
    if not experiments:
        raise BadInput(f"No experiment is named: `lab run --list` lists them; `{ALL}` runs every one.")
    most = 0.0 if check and max_failed is None else None if max_failed is None else fraction(max_failed, "--max-failed")
    # One process of Locust does not bring more users than these to their first request.
    _require("--users", users, 1, 10_000)
    _require("--duration", duration, 4, 86_400)
    _require("--repeat", repeat, 1, 1000)
    if duration is not None and not duration.is_integer():
        raise BadInput(f"--duration {duration:g} is not in whole seconds, which Locust takes: give {duration:.0f}.")
    if shortest and duration is not None:
        raise BadInput(f"--shortest and --duration {duration:g} exclude each other: give one of them.")
    if outlast and duration is None:
        raise BadInput("--outlast is for --duration, without which a load lasts as long anyway: leave it out.")
    if not 0 <= rate <= 100_000:
        raise BadInput(f"--rate {rate:g} is out of range: give requests per second, 0 (as many as go) to 100000.")
    if not _PATH.fullmatch(path):
        raise BadInput(f"--path {path!r} is no path that Locust takes: give one such as /orders/7?verbose=1.")
    chosen(experiments, on_aws=False)  # a misspelt name before a missing file

    from lab.report import terminal
    from lab.runner.actions import cells, require_drains_end, task_settings
    from lab.runner.served import find_target
    from lab.runner.target import call_path, calling

    console = terminal.new_console(stderr=as_json)
    where = find_target(target, service, lambda line: console.print(line, highlight=False, soft_wrap=True))
    if hop not in (GATEWAY, UPSTREAM):
        where, path = calling(where, hop), call_path(where, path)
    todo, impossible = chosen(experiments, on_aws=not where.is_twin)
    if shortest and not where.is_twin:
        raise BadInput("--shortest is for a twin: how long ECS takes on AWS is not known; leave it out.")
    if duration is not None and where.is_twin:
        require_duration(todo, duration)
    swept = cells(sweep or [], on_aws=not where.is_twin)

    # All that was given is checked; these take a second or two.
    from lab.experiments.study import read_measured, write_study
    from lab.report.html import write_report
    from lab.report.pages import run_in_short, run_page, study_page
    from lab.report.run_words import OUTPUTS
    from lab.runner.service import EcsService
    from lab.runner.session import Request, Session, new_folder, raise_when_terminated, until_healthy, until_stable

    ecs = EcsService(where)
    if where.is_twin:
        until_stable(ecs, console)
    ecs.require_stable()
    if not no_wait:
        until_healthy(ecs, console)
    require_drains_end(swept, task_settings(ecs))
    zones = [task.availability_zone for task in ecs.tasks() if task.is_running]
    todo, too_large = fitting(todo, experiments, zones)
    request = Request(
        todo, users, duration, rate or None, repeat, swept, results, path, shortest, outlast, not no_wait, hop
    )
    left_out = {experiment.name: experiment.not_on_aws for experiment in impossible} | too_large
    folders: list[Path] = []
    ages: set[tuple[str, int, float | None]] = set()  # of the gateway's list, by experiment and repeat

    def tell(page: Document, folder: Path) -> None:
        path = write_report(page, folder)
        if not as_json:
            terminal.write(page, console)
            console.print(f"Report: {path}", soft_wrap=True)
        else:
            print_page(page, as_json=True)

    def done(folder: Path) -> None:
        folders.append(folder)
        measured = read_measured(folder)
        if request.runs == 1:
            tell(run_page(measured), folder)
        else:  # the page of all of them has the rest of it
            write_report(run_page(measured), folder)
            fault = measured.record.fault
            met = measured.name, measured.repeat, fault.discovery_age_s if fault else None
            terminal.write(run_in_short(measured, same_age=met in ages), console)
            ages.add(met)
            console.print()

    session = Session(request, where, console, done)
    raise_when_terminated()
    interrupted = 0
    try:
        session.run()
    except KeyboardInterrupt as error:
        interrupted = getattr(error, "exit_code", _INTERRUPTED)
        waited = "no longer waiting until the service is stable: all that was asked for was measured"
        console.print(waited if session.measured else "interrupted: this is what was measured until then")
    finally:
        if request.runs > 1 and folders:
            given = ["lab", *sys.argv[1:]]
            # That the twin is elsewhere may be said by the environment, which whoever repeats it has not.
            elsewhere = str(target) != OUTPUTS and not any(word.startswith("--target") for word in given)
            command = shlex.join([*given, *(["--target", str(target)] if elsewhere else [])])
            where_to = new_folder(results, ALL if ALL in experiments else "study")
            study = write_study(where_to, folders, left_out, command)
            if summary:
                tell(study_page(study), study.folder)
    if interrupted:
        raise typer.Exit(interrupted)
    if most is not None:
        _check(folders, most)


def _require(option: str, value: float | None, least: int, most: int) -> None:
    if value is not None and not least <= value <= most:
        raise BadInput(f"{option} {value:.15g} is out of range: give from {least} to {most}.")


def _check(folders: list[Path], most: float) -> None:
    """Raises AnswerIsNo where more than *most* of the requests of a run failed, on either way."""
    from lab.experiments.study import read_measured
    from lab.report.words import percent

    for measured in map(read_measured, folders):
        for findings in measured.findings.values():
            if findings.failed_share > most:
                failed = f"{findings.failures:,} of {findings.requests:,} requests failed"
                limit = f", more than {percent(most)}" if most else ""
                raise AnswerIsNo(f"{failed} in {measured.label}{limit}.")


@app.command("drain-task")
def drain_task(
    task: str = typer.Argument(metavar="TASK", help="Its id, the beginning of it, its ARN or its host name."),
    target: Path = _TARGET,
    service: str | None = _SERVICE,
    wait: float | None = typer.Option(
        None, help="Seconds between deregistration and stop.", show_default="10 on a twin, 60 on AWS"
    ),
    as_json: Json = False,
) -> None:
    """Stop a task without losing requests: deregister it from Cloud Map, wait until clients forget it, stop it.

    ECS starts another task only then, so the service has one task less meanwhile. Interrupted, it registers the task
    again.
    """
    _require("--wait", wait, 0, 3600)

    from lab.report import terminal
    from lab.report.answers import drained_page
    from lab.runner.drain import WAIT, drain, named
    from lab.runner.served import find_target
    from lab.runner.service import EcsService
    from lab.runner.session import raise_when_terminated

    console = terminal.new_console(stderr=as_json)
    where = find_target(target, service, lambda line: console.print(line, highlight=False, soft_wrap=True))
    seconds = WAIT[where.is_twin] if wait is None else wait
    ecs = EcsService(where)
    found = named(ecs.tasks(), task)
    raise_when_terminated()
    try:
        registrations = drain(ecs, found, seconds, lambda step: console.print(step, highlight=False))
    except KeyboardInterrupt as error:
        raise typer.Exit(getattr(error, "exit_code", _INTERRUPTED)) from None
    if as_json:
        print_page(drained_page(found, seconds, list(registrations)), as_json=True)


@app.command()
def report(
    folders: list[Path] = typer.Argument(..., metavar="FOLDER...", help="Folders that `lab run` or Locust made."),
    as_json: Json = False,
) -> None:
    """Write report.html anew, from the files of a run or of several; of several folders, one in a new folder."""
    from lab.experiments.study import is_study, read_measured, read_studies, read_study, write_study
    from lab.report.html import write_report
    from lab.report.pages import run_page, study_page

    folder = folders[0]
    if len(folders) > 1:
        from lab.runner.session import new_folder

        read_studies(folders)  # a folder that is none is refused before another is made
        page = study_page(write_study(folder := new_folder(folder.parent, "study"), folders, {}))
    else:
        page = study_page(read_study(folder)) if is_study(folder) else run_page(read_measured(folder))
    path = write_report(page, folder)
    if as_json:
        print_page(page, as_json=True)
    else:
        print(path)


@app.command()
def table(
    folders: list[Path] = typer.Argument(
        ..., metavar="FOLDER...", help="Folders that `lab run` made, of one run or of several."
    ),
    as_json: Json = False,
) -> None:
    """Print failed requests, and the seconds of traffic that they are, of each event by way and setting."""
    from lab.experiments.study import read_studies
    from lab.report.table import table_page

    print_page(table_page(read_studies(folders)), as_json=as_json)


@app.command()
def compare(
    first: Path = typer.Argument(..., metavar="A", help="A folder that `lab run` made, of one run or of several."),
    second: Path | None = typer.Argument(None, metavar="B", help="Another. Without it the two ways of A are compared."),
    by: str | None = typer.Option(
        None, metavar="NAME[=V1,V2]", help="Compare two values of what was swept in A, such as drain_seconds=0,20."
    ),
    as_json: Json = False,
) -> None:
    """Say whether two runs, two sets of repeats, or the two ways or two settings of one, are shown to differ."""
    from lab.experiments.compare import compare as compared
    from lab.experiments.compare import compare_ways, kept, settings_of
    from lab.experiments.study import read_study
    from lab.report.answers import comparison_page

    if second and first.resolve() == second.resolve():
        raise BadInput(f"{first} and {second} are the same folder: name another, or one for its two ways.")
    sides = {name: read_study(folder) for name, folder in (("A", first), ("B", second)) if folder}
    if by is not None:
        if second:
            raise BadInput(f"--by {by} compares two settings of one study: leave out {second}.")
        name, _, listed = by.partition("=")
        values = [_number(text, f"--by {by!r} is not a name and numbers") for text in listed.split(",") if listed]
        sides = settings_of(sides["A"], name, values)
    found = compared(*sides.values()) if len(sides) > 1 else compare_ways(*sides.values())
    print_page(comparison_page(found, sides, kept(sides["A"]) if len(sides) == 1 else []), as_json=as_json)


@app.command()
def calibrate(
    folders: list[Path] = typer.Argument(..., metavar="FOLDER...", help="Folders that `lab run` made, best on AWS."),
    as_json: Json = False,
) -> None:
    """Find the twin's assumed parameters that agree with measured runs, and say which cannot be told apart."""
    import numpy as np

    from lab.experiments.calibration import calibrate as calibrated
    from lab.experiments.study import read_studies
    from lab.report.answers import calibration_page

    studies = read_studies(folders)
    runs = [measured for study in studies for measured in study.measured]
    found = calibrated(runs, np.random.default_rng(_SEED))
    print_page(calibration_page(found, studies), as_json=as_json)


@app.command()
def distribution(
    source: str = typer.Argument(..., metavar="FILE", help="A file, the folder of a run, or - for standard input."),
    weights: list[str] | None = typer.Option(
        None, metavar="HOST=N", help="Expected ratio of a host, 1 if not given; repeatable."
    ),
    detect: str = typer.Option("5%", metavar="PERCENT", help="The skew of one host that must not be missed."),
    entry: list[str] | None = typer.Option(
        None, metavar="ZONE=N", help="Ratio of requests that come in by a zone, even if not given; repeatable."
    ),
    settle: float | None = typer.Option(
        None,
        metavar="SECONDS",
        help="Left out around each arrival and departure of a host; if not given, the run's discovery_ttl, or 5.",
    ),
    picture: Path | None = typer.Option(None, metavar="FILE", help="Draw it, as .svg or .png."),
    as_json: Json = False,
    check: bool = typer.Option(False, "--check", help="Exit with 1 if there is evidence that it is uneven, or drifts."),
) -> None:
    """Is it even? Bound, evidence, shares, order, time and zones of the requests that each host answered.

    FILE holds hostnames one a line (with or without a time), the output of `sort | uniq -c`, or a table with the
    columns hostname and requests; or it is the folder of a run. A run counted by caller and upstream (`locust
    --group-by load.traffic.answers:pair`) is judged hop by hop.
    """
    from lab.distribution.judgement import analyse
    from lab.records.answers import read
    from lab.records.observations import hops, weights_of
    from lab.report.answers import distribution_page, hops_page, with_load_notes

    observations, skew = with_load_notes(read(source)), fraction(detect, "--detect")
    if parted := hops(observations):
        if weights or entry or picture:
            raise BadInput(
                f"{source} is counted by caller and upstream: --weights, --entry and --picture are for one split, of a "
                "run that is counted by hostname."
            )
        analyses = _by_hop(parted, skew, settle)
        print_page(hops_page(parted, analyses), as_json=as_json)
        if check and any(analysis.is_uneven for analysis in analyses.values()):
            raise AnswerIsNo(f"{source}: there is evidence that a hop is uneven")
        return
    analysis = analyse(
        observations,
        weights=weights_of(observations, ratios(weights, "--weights")),
        detect=skew,
        entry=ratios(entry, "--entry"),
        settle=settle,
    )
    if picture is not None:
        from lab.report.pictures import save
        from lab.report.pictures.split import analysis_figure

        save(analysis_figure(analysis), picture)
    print_page(distribution_page(analysis), as_json=as_json)
    if check and analysis.is_uneven:
        raise AnswerIsNo(
            f"{analysis.source}: there is evidence that it is uneven{'' if analysis.evidence else ' in time'}"
        )


def _by_hop(parted: Hops, detect: float, settle: float | None) -> dict[str, Analysis]:
    """Of each hop that has two hosts at the same time; "" is the gateway's over the callers."""
    from lab.distribution.judgement import analyse, together
    from lab.distribution.presence import NotTogether

    found = {}
    for caller, observed in {"": parted.callers, **parted.upstreams}.items():
        with suppress(NotTogether):
            found[caller] = analyse(observed, detect=detect, settle=settle)
    return dict(zip(found, together(list(found.values())), strict=True))


def fraction(text: str, option: str) -> float:
    """5% or 0.05 as 0.05. Raises BadInput."""
    number = text.strip()
    value = _number(number.removesuffix("%"), f"{option} {text!r} is not a percentage such as 5%")
    if number.endswith("%"):
        return value / 100
    if value > 1:
        raise BadInput(f"{option} {text} could be {text}% or a fraction: write {text}%")
    return value


def ratios(texts: list[str] | None, option: str) -> dict[str, float]:
    """["a=2"] as {"a": 2.0}. Raises BadInput."""
    found: dict[str, float] = {}
    for text in texts or []:
        name, equals, number = text.rpartition("=")
        if not (name and equals):
            raise BadInput(f"{option} {text!r} is not a name, an equals sign and a number, such as NAME=2")
        if name in found:
            raise BadInput(f"{option} names {name} twice: give each host or zone one number")
        found[name] = _number(number, f"{option} {text!r} has no number after the equals sign")
    return found


def _number(text: str, complaint: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadInput(complaint) from None


@app.command()
def simulate(
    policy: Policy = typer.Option(Policy.RANDOM, help="How a front end picks the task of a request."),
    tasks: int = typer.Option(3, help="Tasks behind the gateway."),
    front_ends: int = typer.Option(1, help="Front ends, each balancing by itself."),
    requests: str = typer.Option("10000", metavar="N", help="Requests of a run, as 3551 or 1e10."),
    in_flight: int = typer.Option(16, help="Requests under way at each front end (least-request)."),
    run_length: int = typer.Option(10, help="Requests of a connection (sticky)."),
    seed: int = typer.Option(1, help="The same seed gives the same runs."),
    like: str | None = typer.Option(None, metavar="FILE", help="Which policies would spread requests as this run did?"),
    as_json: Json = False,
) -> None:
    """What would a gateway of many front ends do? Drawn from the distribution of the counts, so size costs little.

    With --like the tasks and requests are those of the measured run, and each policy is tried with many parameters.
    """
    import numpy as np

    from lab.distribution.judgement import analyse
    from lab.distribution.policies import likeness, simulation
    from lab.records.answers import read
    from lab.report.answers import likeness_page, simulation_page

    if seed < 0:
        raise BadInput(f"--seed {seed} is negative: give 0 or more")
    rng = np.random.default_rng(seed)
    gateway = Gateway(policy, tasks, front_ends, in_flight, run_length)
    total = _whole(requests)
    if like is None:
        page = simulation_page(simulation(gateway, total, rng))
    else:
        page = likeness_page(likeness(analyse(read(like)), rng))
    print_page(page, as_json=as_json)


def _whole(text: str) -> int:
    """3551, 10_000 or 1e10. Raises BadInput."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= _MOST_REQUESTS or value != int(value):
        raise BadInput(f"--requests {text!r} is not a whole number from 1 to {_MOST_REQUESTS:.0e}")
    return int(value)
