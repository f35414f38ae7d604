"""`lab costs` and `lab costs update`."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lab.errors import BadInput

if TYPE_CHECKING:
    from lab.costs.scenario import Scenario

__all__ = ["app"]

app = typer.Typer(help="What it costs a month to expose the service, six ways side by side.", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
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
    json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
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
    from lab.costs.quantities import plain
    from lab.costs.stack import default_scenario
    from lab.costs.study import Study
    from lab.costs.traffic import asked_rate, read_measured, scenario_of_run

    if json and csv:
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

    from lab.costs import output

    if pictures is not None:
        from lab.costs.pictures import write_pictures

        write_pictures(answer, pictures)
    if json:
        print(output.as_json(answer))
    elif csv:
        print(output.as_csv(answer), end="")
    else:
        output.print_study(answer, output.console())
        if reference:
            print(f"{reference}, {plain(scenario.mean_rate)} requests/s; --requests-per-second gives another.")


@app.command()
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
