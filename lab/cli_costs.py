"""`lab costs` and `lab costs update`: every option, and nothing else."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import typer

from lab.cli_common import PLAIN, Json, print_page
from lab.costs.prices import PRICE_FILE
from lab.costs.scenario import OPTIONS, Scenario
from lab.errors import BadInput
from lab.printable import printable

app = typer.Typer(
    help="What a month costs without a load balancer and with one: every way, line by line.",
    add_completion=False,
    **PLAIN,
)
_PRICES = typer.Option(PRICE_FILE, help="Price file. Default: the one that comes with the lab.", show_default=False)


def _with_inputs(command: Callable[..., None]) -> Callable[..., None]:
    """*command* with an option for every input that the cost model declares, all given to it as `inputs`."""
    signature = inspect.signature(command, eval_str=True)
    parameters = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
    for each in OPTIONS:
        names = f"{each.name}/--no-{each.name[2:]}" if each.flag else each.name
        default = typer.Option(None, names, metavar=None if each.flag else "VALUE", help=each.help)
        kind = bool | None if each.flag else str | None
        own = inspect.Parameter(each.field, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        parameters.append(own)

    @wraps(command)
    def with_inputs(**given: Any) -> None:
        inputs = {each.field: value for each in OPTIONS if (value := given.pop(each.field)) is not None}
        command(**given, **inputs)

    del with_inputs.__wrapped__
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
    with_inputs.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_inputs.__annotations__ = {each.name: each.annotation for each in parameters}
    return with_inputs


@app.callback(invoke_without_command=True)
@_with_inputs
def costs(
    context: typer.Context,
    profile: Path | None = typer.Option(None, help="CSV of a day: hour,requests_per_second for the hours 0 to 23."),
    results: Path | None = typer.Option(
        None, help="Folder of a run: its payloads, hosts, zones and, of an open loop, rate become the inputs."
    ),
    stack: Path | None = typer.Option(
        None, help="cdk.tf.json to take defaults from. Default: the one in cdktf.out, if any."
    ),
    assume: list[str] | None = typer.Option(
        None, metavar="NAME=VALUE", help="Another value of an assumption. Repeatable."
    ),
    against: str = typer.Option("public-alb", help="The way that differences are to."),
    every_way: bool = typer.Option(
        False, "--all", help="Every way, not only those of the question; --json and --csv have them anyway."
    ),
    prices: Path = _PRICES,
    as_json: Json = False,
    csv: bool = typer.Option(False, "--csv", help="Print one CSV row for each line of each bill."),
    pictures: Path | None = typer.Option(None, help="Folder to write the three pictures to, as SVG and PNG."),
    **inputs: Any,
) -> None:
    """What it costs a month to expose the service, without a load balancer and with one, and what makes the difference.

    Defaults come from the synthesized stack, or without one from the stack's default settings.
    """
    if context.invoked_subcommand is not None:
        return
    from lab.costs.bill import way_named
    from lab.costs.scenario import asked_rate, default_scenario, read_profile, run_region, scenario_of_run, with_options
    from lab.costs.study import Study
    from lab.costs.study import assume as apply
    from lab.costs.update import prices_of
    from lab.records.run import read_folder
    from lab.report.costs import NOT_OF_THE_RUN, a_reference, as_csv, costs_page, elsewhere

    if as_json and csv:
        raise BadInput("--json and --csv both print the result; choose one")
    if profile is not None and "rates" in inputs:
        raise BadInput("--profile and --requests-per-second both set the rate; choose one")
    way = way_named(against)
    scenario = default_scenario(stack)
    notes, closed_loop = [], False
    if results is not None:
        run = read_folder(results)
        size = with_options(scenario, inputs).response_bytes if "response_bytes" in inputs else None
        scenario = scenario_of_run(run, scenario, size)
        closed_loop = asked_rate(run) is None and profile is None and "rates" not in inputs
        if run_region(run) not in (None, scenario.region) and "region" not in inputs:
            notes.append(elsewhere(run_region(run), scenario.region))
        if not {"cpu", "memory", "architecture", "network"} & inputs.keys():
            notes.append(NOT_OF_THE_RUN)
    if profile is not None:
        scenario = scenario.replace(rates=read_profile(profile))
    scenario = with_options(scenario, inputs)
    if closed_loop:
        notes.append(a_reference(scenario.mean_rate))
    scenario, book = apply(assume or [], scenario, prices_of(scenario.region, prices))
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
        print_page(costs_page(answer, notes, every_way), as_json=as_json)


@app.command()
def update(
    region: str = typer.Option("eu-west-2", help="Region to fetch prices of; a new one is added."),
    offer: list[str] | None = typer.Option(
        None,
        metavar="CODE",
        help="Offer to fetch, such as AmazonECS. Repeatable. Default: all but AmazonEC2.",
    ),
    base_url: str | None = typer.Option(None, help="Another place of the files."),
    prices: Path = _PRICES,
    accept: bool = typer.Option(False, "--accept", help="Take prices that changed by more than half."),
) -> None:
    """Refresh the price file from AWS's public offer files; what was there is kept as history.

    AmazonEC2's offer file has hundreds of MB, and of that only the NAT gateway's price is used: --offer AmazonEC2.
    """
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
    for change in update_prices(prices, region, files, offers, accept):
        print(printable(change_in_words(change)))
