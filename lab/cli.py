"""`lab`: is it even, what did clients see, what does it cost? Every command and option, and nothing else.

Each command reads values, makes a page of them (lab.report) and writes it. Heavy imports (scipy, matplotlib, boto3) are
inside of the functions, so that `lab --help` stays quick.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lab.distribution.gateway import Gateway, Policy
from lab.errors import AnswerIsNo, BadInput, LabError
from lab.experiments.catalogue import ALL, chosen, fitting

if TYPE_CHECKING:
    from lab.costs.scenario import Scenario
    from lab.report.document import Document

__all__ = ["app", "fraction", "main", "ratios"]

_MOST_USERS = 10_000  # in one process of Locust; more than that it does not bring to their first request
_INTERRUPTED = 130  # as a shell has it: 128 + SIGINT
_MOST_REQUESTS = 10**15  # of a simulated run
_SEED = 1  # of the simulated gateways that runs are compared with: the same files give the same answer

_plain: dict[str, Any] = {"add_completion": False, "pretty_exceptions_enable": False, "rich_markup_mode": None}
app = typer.Typer(help="Is it even, what did clients see, what does it cost?", no_args_is_help=True, **_plain)
costs_app = typer.Typer(help="What it costs a month to expose the service, six ways side by side.", **_plain)

_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text: docs/lab.md has its keys.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"lab {version('serviceconnect')}")
        raise typer.Exit


@app.callback()
def _lab(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
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
def run(
    experiments: Annotated[
        list[str] | None,
        typer.Argument(metavar="EXPERIMENT", help=f"What happens during the load (see --list), or `{ALL}`."),
    ] = None,
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
    max_failed: Annotated[
        str | None,
        typer.Option(metavar="PERCENT", help="End with 1 if more of the requests failed, of any run and way."),
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="List the experiments, with their times, and end.")] = False,
    as_json: _Json = False,
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
    from lab.experiments.study import read_measured, write_study
    from lab.report import terminal
    from lab.report.html import write_report
    from lab.report.pages import run_page, study_page
    from lab.runner.service import Aws, EcsService
    from lab.runner.session import Request, Session, new_folder, raise_on_sigterm

    console = terminal.new_console(stderr=as_json)
    service = EcsService(where, Aws(where))
    service.require_stable()
    require_drains_end(swept, task_settings(service))
    zones = [task.availability_zone for task in service.tasks() if task.is_running]
    todo, too_large = fitting(todo, experiments, zones)
    request = Request(todo, users, duration, rate, repeat, swept, results)
    left_out = {experiment.name: experiment.not_on_aws for experiment in impossible} | too_large
    folders: list[Path] = []

    def tell(page: Document, folder: Path, *, last: bool) -> None:
        path = write_report(page, folder)
        if not as_json:
            terminal.write(page, console)
            console.print(f"Report: {path}", soft_wrap=True)
        elif last:
            _print(page, as_json=True)

    def done(folder: Path) -> None:
        folders.append(folder)
        tell(run_page(read_measured(folder)), folder, last=request.runs == 1)

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
            tell(study_page(study), study.folder, last=True)
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
def report(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder that `lab run` or Locust made.")],
    as_json: _Json = False,
) -> None:
    """Write report.html anew, from the files of a run or of several."""
    from lab.experiments.study import is_study, read_measured, read_study
    from lab.report.html import write_report
    from lab.report.pages import run_page, study_page

    page = study_page(read_study(folder)) if is_study(folder) else run_page(read_measured(folder))
    path = write_report(page, folder)
    if as_json:
        _print(page, as_json=True)
    else:
        print(path)


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="A folder that `lab run` made, of one run or of several.")],
    second: Annotated[
        Path | None, typer.Argument(metavar="B", help="Another. Without it the two ways of A are compared.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Say whether two runs, two sets of repeats, or the two ways of one, differ by more than chance."""
    from lab.experiments.compare import compare as compared
    from lab.experiments.compare import compare_ways
    from lab.experiments.study import read_study
    from lab.report.answers import comparison_page

    studies = [read_study(folder) for folder in (first, second) if folder]
    found = compared(*studies) if second else compare_ways(*studies)
    _print(comparison_page(found, studies), as_json=as_json)


@app.command()
def calibrate(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="Folders that `lab run` made, best on AWS.")
    ],
    as_json: _Json = False,
) -> None:
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
def distribution(
    source: Annotated[
        str, typer.Argument(metavar="FILE", help="A file, the folder of a run, or - for standard input.")
    ],
    weights: Annotated[
        list[str] | None, typer.Option(metavar="HOST=N", help="Expected ratio of a host, 1 if not given; repeatable.")
    ] = None,
    detect: Annotated[
        str, typer.Option(metavar="PERCENT", help="The skew of one host that must not be missed.")
    ] = "5%",
    entry: Annotated[
        list[str] | None,
        typer.Option(metavar="ZONE=N", help="Ratio of requests that come in by a zone, even if not given; repeatable."),
    ] = None,
    picture: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it, as .svg or .png.")] = None,
    as_json: _Json = False,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 if there is evidence that it is uneven.")] = False,
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
def simulate(
    policy: Annotated[Policy, typer.Option(help="How a front end picks the task of a request.")] = Policy.RANDOM,
    tasks: Annotated[int, typer.Option(help="Tasks behind the gateway.")] = 3,
    front_ends: Annotated[int, typer.Option(help="Front ends, each balancing by itself.")] = 1,
    requests: Annotated[str, typer.Option(metavar="N", help="Requests of a run, as 3551 or 1e10.")] = "10000",
    in_flight: Annotated[int, typer.Option(help="Requests under way at each front end (least-request).")] = 16,
    run_length: Annotated[int, typer.Option(help="Requests of a connection (sticky).")] = 10,
    seed: Annotated[int, typer.Option(help="The same seed gives the same runs.")] = 1,
    like: Annotated[
        str | None, typer.Option(metavar="FILE", help="Which policies would spread requests as this run did?")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw skew against requests for all policies, as .svg or .png.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """What would a gateway of many front ends do? Drawn from the distribution of the counts, so size costs little.

    With --like the tasks and requests are those of the measured run, and each policy is tried with many parameters.
    """
    import numpy as np

    from lab.distribution.judgement import analyse
    from lab.distribution.policies import Likeness, Simulation, curves, likeness, points, simulation
    from lab.records.answers import read
    from lab.report.answers import simulation_page

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
        from lab.report.pictures.policies import skew_figure
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
def costs(
    context: typer.Context,
    requests_per_second: Annotated[str | None, typer.Option(help="Mean requests/s. Default: 10.")] = None,
    profile: Annotated[
        Path | None, typer.Option(help="CSV of a day: hour,requests_per_second for the hours 0 to 23.")
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(help="Folder of a run: its payloads, hosts, zones and, of an open loop, rate become the inputs."),
    ] = None,
    stack: Annotated[
        Path | None, typer.Option(help="cdk.tf.json to take defaults from. Default: the one in cdktf.out, if any.")
    ] = None,
    request_kb: Annotated[str | None, typer.Option(help="Size of a request in KB of 1,024 bytes. Default: 1.")] = None,
    response_kb: Annotated[str | None, typer.Option(help="Size of a response in KB. Default: 10.")] = None,
    new_connections: Annotated[
        str | None, typer.Option(help="Clients' new connections/s. Default: one for each request.")
    ] = None,
    connection_seconds: Annotated[str | None, typer.Option(help="How long a connection lasts. Default: 1.")] = None,
    listener_rules: Annotated[int | None, typer.Option(help="Rules that an ALB goes through. Default: 1.")] = None,
    tasks: Annotated[int | None, typer.Option(help="Number of tasks.")] = None,
    cpu: Annotated[int | None, typer.Option(help="CPU units of a task.")] = None,
    memory: Annotated[int | None, typer.Option(help="Memory of a task in MiB.")] = None,
    architecture: Annotated[str | None, typer.Option(help="X86_64 or ARM64.")] = None,
    proxy: Annotated[
        str | None,
        typer.Option(help="Service Connect's share of a task: within its size (default), on-top of it, or unreserved."),
    ] = None,
    azs: Annotated[int | None, typer.Option(help="Number of availability zones.")] = None,
    network: Annotated[
        str | None, typer.Option(help="The tasks' way out: endpoints, nat, public, or none (paid for already).")
    ] = None,
    endpoints: Annotated[int | None, typer.Option(help="Interface endpoints that any option needs.")] = None,
    proxy_endpoints: Annotated[int | None, typer.Option(help="Those that only Service Connect needs.")] = None,
    nat_gateways: Annotated[int | None, typer.Option(help="Number of NAT gateways.")] = None,
    load_balancer_addresses: Annotated[
        int | None, typer.Option(help="Public IPv4 addresses of a public load balancer. Default: one in each zone.")
    ] = None,
    gateway_log_bytes: Annotated[str | None, typer.Option(help="API Gateway's log for each request.")] = None,
    proxy_log_bytes: Annotated[str | None, typer.Option(help="Service Connect's access log for each request.")] = None,
    app_log_bytes: Annotated[str | None, typer.Option(help="The application's log for each request.")] = None,
    log_retention_days: Annotated[int | None, typer.Option(help="How long logs are kept.")] = None,
    insights: Annotated[bool | None, typer.Option(help="Container Insights.")] = None,
    image_mb: Annotated[str | None, typer.Option(help="Size of the image in MB. Default: 60.")] = None,
    images_kept: Annotated[int | None, typer.Option(help="Images kept in ECR. Default: 20.")] = None,
    region: Annotated[str | None, typer.Option(help="Region, of which the price file must have prices.")] = None,
    assume: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Another value of an assumption. Repeatable.")
    ] = None,
    against: Annotated[str, typer.Option(help="The option that the sensitivities compare (a) with.")] = "public-alb",
    prices: Annotated[Path | None, typer.Option(help="Price file. Default: the one that comes with the lab.")] = None,
    as_json: _Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print one CSV row for each line of each bill.")] = False,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder to write the three pictures to, as SVG and PNG.")
    ] = None,
) -> None:
    """What it costs a month to expose the service, six ways side by side: line by line, with break-even points.

    Defaults come from the synthesized stack, or without one from the stack's default settings.
    """
    if context.invoked_subcommand is not None:
        return
    from lab.costs.assumptions import assume as apply
    from lab.costs.options import option_named
    from lab.costs.prices import PRICE_FILE, load_prices
    from lab.costs.stack import default_scenario
    from lab.costs.study import Study
    from lab.costs.traffic import asked_rate, read_measured, scenario_of_run

    if as_json and csv:
        raise BadInput("--json and --csv both print the result; choose one")
    if profile is not None and requests_per_second is not None:
        raise BadInput("--profile and --requests-per-second both set the rate; choose one")
    kb = Decimal(1024)
    size = _decimal("--response-kb", response_kb, kb)
    scenario = default_scenario(stack)
    reference = ""
    if results is not None:
        run = read_measured(results)
        scenario = scenario_of_run(run, scenario, size)
        if asked_rate(run) is None and profile is None and requests_per_second is None:
            reference = "The run was a closed loop: its rate is no month's, so a reference is priced instead"
    chosen: dict[str, Any] = {
        "region": region,
        "request_bytes": _decimal("--request-kb", request_kb, kb),
        "response_bytes": size,
        "connection_seconds": _decimal("--connection-seconds", connection_seconds),
        "listener_rules": listener_rules,
        "tasks": tasks,
        "cpu": cpu,
        "memory": memory,
        "architecture": architecture,
        "proxy": proxy,
        "azs": azs,
        "network": network,
        "endpoints": endpoints,
        "proxy_endpoints": proxy_endpoints,
        "nat_gateways": nat_gateways,
        "load_balancer_addresses": load_balancer_addresses,
        "gateway_log_bytes": _decimal("--gateway-log-bytes", gateway_log_bytes),
        "proxy_log_bytes": _decimal("--proxy-log-bytes", proxy_log_bytes),
        "app_log_bytes": _decimal("--app-log-bytes", app_log_bytes),
        "log_retention_days": log_retention_days,
        "insights": insights,
        "image_mb": _decimal("--image-mb", image_mb),
        "images_kept": images_kept,
        "rates": _rates(profile, _decimal("--requests-per-second", requests_per_second)),
    }
    scenario = replace(scenario, **{name: value for name, value in chosen.items() if value is not None})
    scenario = _with_connections(scenario, _decimal("--new-connections", new_connections))
    scenario, book = apply(assume or [], scenario, load_prices(scenario.region, prices or PRICE_FILE))
    answer = Study(scenario, book, option_named(against))

    if pictures is not None:
        from lab.report.pictures.costs import write_pictures

        write_pictures(answer, pictures)
    from lab.report.costs import as_csv, costs_page

    if csv:
        print(as_csv(answer), end="")
    else:
        _print(costs_page(answer, reference), as_json=as_json)


@costs_app.command()
def update(
    region: Annotated[str, typer.Option(help="Region to fetch prices of; a new one is added.")] = "eu-west-2",
    source: Annotated[
        str, typer.Option(help="files: AWS's public offer files; api: the Price List API, which needs credentials.")
    ] = "files",
    offer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CODE",
            help="Offer to fetch, such as AmazonECS. Repeatable. Default: all, from files but AmazonEC2.",
        ),
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="Another place of the files or the API.")] = None,
    prices: Annotated[Path | None, typer.Option(help="Price file. Default: the one that comes with the lab.")] = None,
    accept: Annotated[bool, typer.Option("--accept", help="Take prices that changed by more than half.")] = False,
) -> None:
    """Refresh the price file from AWS's price list; what was there is kept as history.

    AmazonEC2's offer file has hundreds of MB, and of that only the NAT gateway's price is used: fetch it with --source
    api, or with --offer AmazonEC2.
    """
    from lab.costs.offers import LISTINGS, OFFER_FILES, from_api, from_files
    from lab.costs.prices import PRICE_FILE
    from lab.costs.update import update_prices

    codes = {listing.offer for listing in LISTINGS.values()}
    if unknown := set(offer or ()) - codes:
        raise BadInput(
            f"no price is taken from the offer {sorted(unknown)[0]!r}; choose from {', '.join(sorted(codes))}"
        )
    if source == "files":
        products, offers = from_files(region, base_url or OFFER_FILES), codes - {"AmazonEC2"}
    elif source == "api":
        products, offers = from_api(region, base_url), codes
    else:
        raise BadInput(f"--source {source!r} must be files or api")
    for sentence in update_prices(prices or PRICE_FILE, region, products, set(offer or offers), accept):
        print(sentence)


def _rates(profile: Path | None, rate: Decimal | None) -> tuple[Decimal, ...] | None:
    from lab.costs.traffic import read_profile

    if profile is not None:
        return read_profile(profile)
    return None if rate is None else (rate,)


def _with_connections(scenario: Scenario, new_connections: Decimal | None) -> Scenario:
    if new_connections is None:
        return scenario
    if not scenario.mean_rate:
        raise BadInput(f"--new-connections {new_connections} cannot go with no requests at all")
    return replace(scenario, connections_per_request=new_connections / scenario.mean_rate)


def _decimal(option: str, text: str | None, unit: Decimal = Decimal(1)) -> Decimal | None:
    if text is None:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise BadInput(f"{option} {text!r} is not a number") from error
    if not value.is_finite() or value < 0:
        raise BadInput(f"{option} {text} must be a number that is at least 0")
    return value * unit


app.add_typer(costs_app, name="costs")
