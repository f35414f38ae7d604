"""`lab`: is it even, what did clients see, what does it cost? Every command and option, and nothing else.

Each command reads values, makes a page of them (lab.report) and writes it. Heavy imports (scipy, matplotlib, boto3) are
inside of the functions, so that `lab --help` stays quick.
"""

from __future__ import annotations

import inspect
import json
import math
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lab.costs.scenario import OPTIONS, Option, Scenario
from lab.distribution.gateway import Gateway, Policy
from lab.errors import AnswerIsNo, BadInput, LabError
from lab.experiments.catalogue import ALL, chosen, fitting, require_duration

if TYPE_CHECKING:
    from lab.report.document import Document

_PATH = re.compile("/([A-Za-z0-9._~%-][A-Za-z0-9._~%/?&=-]*)?")  # as `locust --path-mix` has it
_INTERRUPTED = 130  # as a shell has it: 128 + SIGINT
_MOST_REQUESTS = 10**15  # of a simulated run
_SEED = 1  # of the simulated gateways that runs are compared with: the same files give the same answer

_plain: dict[str, Any] = {"add_completion": False, "pretty_exceptions_enable": False, "rich_markup_mode": None}
app = typer.Typer(help="Is it even, what did clients see, what does it cost?", no_args_is_help=True, **_plain)
costs_app = typer.Typer(
    help="What a month costs without a load balancer and with one: every way, line by line.", **_plain
)

_OPTIONS: dict[str, dict[str, dict[str, Any]]] = json.loads(Path(__file__).with_name("options.json").read_text())


def _options(command: str, inputs: Sequence[Option] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Makes options and arguments of a function's parameters, as options.json describes them for this *command*.

    inputs: options of the cost model; the function gets those that are given as `**inputs`.
    """
    described = _OPTIONS["every command"] | _OPTIONS[command]
    names = {each.field for each in inputs}

    def declare(function: Callable[..., None]) -> Callable[..., None]:
        parameters = []
        for each in inspect.signature(function, eval_str=True).parameters.values():
            if each.kind is each.VAR_KEYWORD:
                parameters += [_parameter_of(own) for own in inputs]
            else:
                default = _declared(each, **described[each.name]) if each.name in described else each.default
                parameters.append(each.replace(kind=each.KEYWORD_ONLY, default=default))

        @wraps(function)
        def checked(**given: Any) -> None:
            for name, value in given.items():
                least, most = described.get(name, {}).get("range", (-math.inf, math.inf))
                if isinstance(value, int | float) and not least <= value <= most:
                    raise BadInput(f"--{name} {value:.15g} is out of range: give from {least} to {most}.")
            function(**{name: value for name, value in given.items() if value is not None or name not in names})

        del checked.__wrapped__
        checked.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        checked.__annotations__ = {each.name: each.annotation for each in parameters}
        return checked

    return declare


def _declared(of: inspect.Parameter, names: Sequence[str] = (), argument: bool = False, **details: Any) -> Any:
    default = ... if of.default is of.empty else of.default
    details.pop("range", None)
    if argument:
        return typer.Argument(default, **details)
    # A flag has no opposite.
    return typer.Option(default, *(names or [f"--{of.name.replace('_', '-')}"]), **details)


def _parameter_of(own: Option) -> inspect.Parameter:
    names = f"{own.name}/--no-{own.name[2:]}" if own.flag else own.name
    default = typer.Option(None, names, metavar=None if own.flag else "VALUE", help=own.help)
    kind = bool | None if own.flag else str | None
    return inspect.Parameter(own.field, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"lab {version('serviceconnect')}")
        raise typer.Exit


@app.callback()
def _lab(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Is it even, what did clients see, what does it cost?"""


def main() -> None:
    """Run `lab`; a LabError becomes one sentence on stderr and its exit code."""
    try:
        app()
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def _print(document: Document, *, as_json: bool) -> None:
    from lab.report import terminal
    from lab.report.document import as_json as json_of

    if as_json:
        print(json_of(document))
    else:
        terminal.write(document, terminal.new_console())


@app.command()
@_options("run")
def run(
    experiments: list[str] | None = None,
    target: Path = Path(".twin/outputs.json"),
    users: int = 16,
    duration: float | None = None,
    shortest: bool = False,
    rate: float | None = None,
    path: str = "/hostname",
    repeat: int = 1,
    sweep: list[str] | None = None,
    results: Path = Path("results"),
    check: bool = False,
    max_failed: str | None = None,
    listing: bool = False,
    no_wait: bool = False,
    as_json: bool = False,
) -> None:
    """Put load on the service while something happens to its tasks, and say what the clients saw.

    With a load balancer beside (the setting `comparison`), half of the load takes each of the two ways.
    """
    if listing:
        from lab.report.answers import experiments_page

        _print(experiments_page(), as_json=as_json)
        return
    if not experiments:
        raise BadInput(f"No experiment is named: `lab run --list` lists them; `{ALL}` runs every one.")
    most = 0.0 if check and max_failed is None else None if max_failed is None else fraction(max_failed, "--max-failed")
    if duration is not None and not duration.is_integer():
        raise BadInput(f"--duration {duration:g} is not in whole seconds, which Locust takes: give {duration:.0f}.")
    if shortest and duration is not None:
        raise BadInput(f"--shortest and --duration {duration:g} exclude each other: give one of them.")
    if rate is not None and not 0 < rate <= 100_000:
        raise BadInput(f"--rate {rate:g} is out of range: give requests per second, above 0 and at most 100000.")
    if not _PATH.fullmatch(path):
        raise BadInput(f"--path {path!r} is no path that Locust takes: give one such as /orders/7?verbose=1.")
    chosen(experiments, on_aws=False)  # a misspelt name before a missing file

    from lab.runner.actions import cells, require_drains_end, task_settings
    from lab.runner.service import read_target

    where = read_target(target)
    todo, impossible = chosen(experiments, on_aws=not where.is_twin)
    if shortest and not where.is_twin:
        raise BadInput("--shortest is for a twin: how long ECS takes on AWS is not known; leave it out.")
    if duration is not None and where.is_twin:
        require_duration(todo, duration)
    swept = cells(sweep or [], on_aws=not where.is_twin)

    # All that was given is checked; these take a second or two.
    from lab.experiments.study import read_measured, write_study
    from lab.report import terminal
    from lab.report.html import write_report
    from lab.report.pages import run_in_short, run_page, study_page
    from lab.runner.service import EcsService
    from lab.runner.session import Request, Session, new_folder, raise_on_sigterm

    console = terminal.new_console(stderr=as_json)
    service = EcsService(where)
    service.require_stable()
    require_drains_end(swept, task_settings(service))
    zones = [task.availability_zone for task in service.tasks() if task.is_running]
    todo, too_large = fitting(todo, experiments, zones)
    request = Request(todo, users, duration, rate, repeat, swept, results, path, shortest, wait=not no_wait)
    left_out = {experiment.name: experiment.not_on_aws for experiment in impossible} | too_large
    folders: list[Path] = []

    def tell(page: Document, folder: Path) -> None:
        path = write_report(page, folder)
        if not as_json:
            terminal.write(page, console)
            console.print(f"Report: {path}", soft_wrap=True)
        else:
            _print(page, as_json=True)

    def done(folder: Path) -> None:
        folders.append(folder)
        measured = read_measured(folder)
        if request.runs == 1:
            tell(run_page(measured), folder)
        else:  # the page of all of them has the rest of it
            write_report(run_page(measured), folder)
            terminal.write(run_in_short(measured), console)
            console.print()

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
            tell(study_page(study), study.folder)
    if interrupted:
        raise typer.Exit(_INTERRUPTED)
    if most is not None:
        _check(folders, most)


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


@app.command()
@_options("drain-task")
def drain_task(
    task: str,
    target: Path = Path(".twin/outputs.json"),
    wait: float | None = None,
    as_json: bool = False,
) -> None:
    """Stop a task without losing requests: deregister it from Cloud Map, wait until clients forget it, stop it.

    ECS starts another task only then, so the service has one task less meanwhile. Interrupted, it registers the task
    again.
    """
    from lab.report import terminal
    from lab.report.answers import drained_page
    from lab.runner.drain import WAIT, drain, named
    from lab.runner.service import EcsService, read_target
    from lab.runner.session import raise_on_sigterm

    where = read_target(target)
    seconds = WAIT[where.is_twin] if wait is None else wait
    service = EcsService(where)
    found = named(service.tasks(), task)
    console = terminal.new_console(stderr=as_json)
    raise_on_sigterm()
    try:
        registrations = drain(service, found, seconds, lambda step: console.print(step, highlight=False), time.sleep)
    except KeyboardInterrupt:
        raise typer.Exit(_INTERRUPTED) from None
    if as_json:
        _print(drained_page(found, seconds, [each.service_id for each in registrations]), as_json=True)


@app.command()
@_options("report")
def report(folders: list[Path], as_json: bool = False) -> None:
    """Write report.html anew, from the files of a run or of several; of several folders, one in a new folder."""
    from lab.experiments.study import is_study, read_measured, read_study, write_study
    from lab.report.html import write_report
    from lab.report.pages import run_page, study_page
    from lab.runner.session import new_folder

    folder = folders[0]
    if len(folders) > 1:
        studies = [read_study(each) for each in folders]
        runs = [measured.folder for study in studies for measured in study.measured]
        left_out = {name: why for study in studies for name, why in study.left_out.items()}
        page = study_page(write_study(folder := new_folder(folder.parent, "study"), runs, left_out))
    else:
        page = study_page(read_study(folder)) if is_study(folder) else run_page(read_measured(folder))
    path = write_report(page, folder)
    if as_json:
        _print(page, as_json=True)
    else:
        print(path)


@app.command()
@_options("table")
def table(folders: list[Path], as_json: bool = False) -> None:
    """Print failed requests, and the seconds of traffic that they are, of each event by way and setting."""
    from lab.experiments.study import read_study
    from lab.report.answers import table_page

    _print(table_page(list(map(read_study, folders))), as_json=as_json)


@app.command()
@_options("compare")
def compare(first: Path, second: Path | None = None, as_json: bool = False) -> None:
    """Say whether two runs, two sets of repeats, or the two ways of one, are shown to differ."""
    from lab.experiments.compare import compare as compared
    from lab.experiments.compare import compare_ways
    from lab.experiments.study import read_study
    from lab.report.answers import comparison_page

    studies = [read_study(folder) for folder in (first, second) if folder]
    found = compared(*studies) if second else compare_ways(*studies)
    _print(comparison_page(found, studies), as_json=as_json)


@app.command()
@_options("calibrate")
def calibrate(folders: list[Path], as_json: bool = False) -> None:
    """Find the twin's assumed parameters that agree with measured runs, and say which cannot be told apart."""
    import numpy as np

    from lab.experiments.calibration import calibrate as calibrated
    from lab.experiments.study import read_study
    from lab.report.answers import calibration_page

    studies = list(map(read_study, folders))
    runs = [measured for study in studies for measured in study.measured]
    found = calibrated(runs, np.random.default_rng(_SEED))
    _print(calibration_page(found, studies), as_json=as_json)


@app.command()
@_options("distribution")
def distribution(
    source: str,
    weights: list[str] | None = None,
    detect: str = "5%",
    entry: list[str] | None = None,
    settle: float | None = None,
    picture: Path | None = None,
    as_json: bool = False,
    check: bool = False,
) -> None:
    """Is it even? Bound, evidence, shares, order, time and zones of the requests that each host answered.

    FILE holds hostnames one a line (with or without a time), the output of `sort | uniq -c`, or a table with the
    columns hostname and requests; or it is the folder of a run.
    """
    from lab.distribution.judgement import analyse
    from lab.records.answers import read
    from lab.report.answers import distribution_page

    analysis = analyse(
        read(source),
        weights=ratios(weights, "--weights"),
        detect=fraction(detect, "--detect"),
        entry=ratios(entry, "--entry"),
        settle=settle,
    )
    if picture is not None:
        from lab.report.pictures.split import analysis_figure
        from lab.report.pictures.style import save

        save(analysis_figure(analysis), picture)
    _print(distribution_page(analysis), as_json=as_json)
    if check and analysis.evidence:
        raise AnswerIsNo(f"{analysis.source}: there is evidence that it is uneven")


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
        found[name] = _number(number, f"{option} {text!r} has no number after the equals sign")
    return found


def _number(text: str, complaint: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadInput(complaint) from None


@app.command()
@_options("simulate")
def simulate(
    policy: Policy = Policy.RANDOM,
    tasks: int = 3,
    front_ends: int = 1,
    requests: str = "10000",
    in_flight: int = 16,
    run_length: int = 10,
    seed: int = 1,
    like: str | None = None,
    picture: Path | None = None,
    as_json: bool = False,
) -> None:
    """What would a gateway of many front ends do? Drawn from the distribution of the counts, so size costs little.

    With --like the tasks and requests are those of the measured run, and each policy is tried with many parameters.
    """
    import numpy as np

    from lab.distribution.judgement import analyse
    from lab.distribution.policies import Likeness, Simulation, curves, likeness, points, simulation
    from lab.records.answers import read
    from lab.report.answers import simulation_page

    if seed < 0:
        raise BadInput(f"--seed {seed} is negative: give 0 or more")
    rng = np.random.default_rng(seed)
    gateway = Gateway(policy, tasks, front_ends, in_flight, run_length)
    total = _whole(requests)
    point = None
    result: Simulation | Likeness
    if like is None:
        result = simulation(gateway, total, rng)
    else:
        result = likeness(analyse(read(like)), rng)
        run = result.measured
        gateway, total, point = replace(gateway, tasks=run.tasks), run.requests, run.max_deviation
    if picture is not None:
        from lab.report.pictures.split import skew_figure
        from lab.report.pictures.style import save

        save(skew_figure(curves(gateway, points(gateway, total), rng), gateway, total, point), picture)
    _print(simulation_page(result), as_json=as_json)


def _whole(text: str) -> int:
    """3551, 10_000 or 1e10. Raises BadInput."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= _MOST_REQUESTS or value != int(value):
        raise BadInput(f"--requests {text!r} is not a whole number from 1 to {_MOST_REQUESTS:.0e}")
    return int(value)


@costs_app.callback(invoke_without_command=True)
@_options("costs", OPTIONS)
def costs(
    context: typer.Context,
    profile: Path | None = None,
    results: Path | None = None,
    stack: Path | None = None,
    assume: list[str] | None = None,
    against: str = "public-alb",
    prices: Path | None = None,
    as_json: bool = False,
    csv: bool = False,
    pictures: Path | None = None,
    **inputs: Any,
) -> None:
    """What it costs a month to expose the service, without a load balancer and with one: every way, and its difference.

    Defaults come from the synthesized stack, or without one from the stack's default settings.
    """
    if context.invoked_subcommand is not None:
        return
    from lab.costs.bill import way_named
    from lab.costs.prices import PRICE_FILE
    from lab.costs.scenario import asked_rate, default_scenario, read_profile, scenario_of_run, with_options
    from lab.costs.study import Study
    from lab.costs.study import assume as apply
    from lab.costs.update import prices_of
    from lab.records.run import read_folder
    from lab.report.costs import as_csv, costs_page

    if as_json and csv:
        raise BadInput("--json and --csv both print the result; choose one")
    if profile is not None and "rates" in inputs:
        raise BadInput("--profile and --requests-per-second both set the rate; choose one")
    way = way_named(against)
    scenario = default_scenario(stack)
    reference = ""
    if results is not None:
        run = read_folder(results)
        size = with_options(scenario, inputs).response_bytes if "response_bytes" in inputs else None
        scenario = scenario_of_run(run, scenario, size)
        if asked_rate(run) is None and profile is None and "rates" not in inputs:
            reference = "The run was a closed loop: its rate is no month's, so a reference is priced instead"
    if profile is not None:
        scenario = scenario.replace(rates=read_profile(profile))
    scenario = with_options(scenario, inputs)
    scenario, book = apply(assume or [], scenario, prices_of(scenario.region, prices or PRICE_FILE))
    answer = Study(scenario, book, way)
    if way not in answer.ways:
        raise BadInput(
            f"{against} is no way of its own for this scenario; choose one of {', '.join(w.name for w in answer.ways)}"
        )
    if pictures is not None:
        from lab.report.pictures.costs import write_pictures

        write_pictures(answer, pictures)
    if csv:
        print(as_csv(answer), end="")
    else:
        _print(costs_page(answer, reference), as_json=as_json)


@costs_app.command()
@_options("costs update")
def update(
    region: str = "eu-west-2",
    offer: list[str] | None = None,
    base_url: str | None = None,
    prices: Path | None = None,
    accept: bool = False,
) -> None:
    """Refresh the price file from AWS's public offer files; what was there is kept as history.

    AmazonEC2's offer file has hundreds of MB, and of that only the NAT gateway's price is used: --offer AmazonEC2.
    """
    from lab.costs.prices import PRICE_FILE
    from lab.costs.scenario import with_options
    from lab.costs.update import LISTINGS, OFFERS_BY_DEFAULT, from_files, update_prices
    from lab.report.costs import change_in_words

    codes = {listing.offer for listing in LISTINGS.values()}
    if unknown := set(offer or ()) - codes:
        raise BadInput(
            f"no price is taken from the offer {sorted(unknown)[0]!r:.60}; choose from {', '.join(sorted(codes))}"
        )
    with_options(Scenario(), {"region": region})
    files, offers = from_files(region, base_url or ""), set(offer or OFFERS_BY_DEFAULT)
    for change in update_prices(prices or PRICE_FILE, region, files, offers, accept):
        print(change_in_words(change))


app.add_typer(costs_app, name="costs")
