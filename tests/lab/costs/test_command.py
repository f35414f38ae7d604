"""`lab costs` as a user runs it."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
import sys
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lab.costs.prices import PRICE_FILE
from load.results import HostRow, create_run, update_meta, write_hosts
from tests.command import Command, Ran


@pytest.fixture(autouse=True)
def nothing_synthesized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def lab(lab: Command) -> Command:
    """Runs `lab costs`."""
    return partial(lab, "costs")


def way(ran: Ran, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in ran.json["ways"] if each["name"] == name)
    return found


def test_the_table(lab: Command) -> None:
    ran = lab("--requests-per-second", "10", "--response-kb", "10", "--tasks", "3", "--region", "eu-west-2")
    assert ran.code == 0
    assert ran.out.splitlines()[0].startswith(
        "At 10 requests/s a month without a load balancer costs 145.42 USD, 23.41 "
    )
    for text in ("HTTP API requests", "ALB capacity units", "total", "30.48", "cross_az_share"):
        assert text in ran.out
    assert "VPC Lattice" not in ran.out
    assert "VPC Lattice" in lab("--all").out
    (share,) = (line for line in ran.out.splitlines() if line.startswith("service-connect-with-share"))
    assert "176.50" in share.split()


def test_another_way_to_compare_with(lab: Command) -> None:
    ran = lab("--against", "internal-alb")
    assert "less than with internal-alb (148.23)." in ran.out.splitlines()[0]
    assert lab("--against", "internal-alb", "--json").json["against"] == "internal-alb"
    assert lab("--against", "service-connect").code == 0


def test_json_is_pure_and_complete(lab: Command) -> None:
    ran = lab("--json")
    assert (ran.code, ran.err) == (0, "")
    names = [each["name"] for each in ran.json["ways"]]
    assert {"service-connect", "rest-alb", "cloudfront-alb", "public-alb-public-tasks"} <= set(names)
    assert ran.json["inputs"]["tasks"] == 3


def test_csv_has_a_row_for_each_line(lab: Command) -> None:
    ran = lab("--csv")
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    content = lab("--json")
    assert {row["way"] for row in rows} == {each["name"] for each in content.json["ways"]}
    total = sum(Decimal(row["usd"]) for row in rows if row["way"] == "public-alb")
    assert float(total) == pytest.approx(way(content, "public-alb")["total_usd"])


def test_options_reach_the_model(lab: Command) -> None:
    given = {
        "--request-kb": "2",
        "--new-connections": "5",
        "--connection-seconds": "3",
        "--listener-rules": "12",
        "--tasks": "4",
        "--cpu": "512",
        "--memory": "2048",
        "--architecture": "ARM64",
        "--services": "4",
        "--azs": "3",
        "--network": "nat",
        "--endpoints": "5",
        "--proxy-endpoints": "2",
        "--nat-gateways": "3",
        "--load-balancer-addresses": "0",
        "--gateway-log-bytes": "1",
        "--proxy-log-bytes": "2",
        "--app-log-bytes": "3",
        "--log-retention-days": "7",
        "--image-mb": "100",
        "--images-kept": "2",
        "--requests-per-second": "20",
        "--response-kb": "64",
        "--assume": "front_ends=7",
    }
    inputs = lab("--json", "--insights", *(word for pair in given.items() for word in pair)).json["inputs"]
    assert inputs == {
        **inputs,
        "requests_per_second": 20,
        "request_bytes": 2048,
        "response_bytes": 65536,
        "connections_per_request": 0.25,
        "connection_seconds": 3,
        "listener_rules": 12,
        "tasks": 4,
        "cpu": 512,
        "memory": 2048,
        "architecture": "ARM64",
        "services": 4,
        "azs": 3,
        "network": "nat",
        "endpoints": 5,
        "proxy_endpoints": 2,
        "nat_gateways": 3,
        "load_balancer_addresses": 0,
        "gateway_log_bytes": 1,
        "proxy_log_bytes": 2,
        "app_log_bytes": 3,
        "log_retention_days": 7,
        "image_mb": 100,
        "images_kept": 2,
        "insights": True,
        "front_ends": 7,
    }


def test_a_days_profile(lab: Command, tmp_path: Path) -> None:
    day = tmp_path / "day.csv"
    day.write_text("hour,requests_per_second\n" + "".join(f"{hour},{10 * (hour >= 12)}\n" for hour in range(24)))
    inputs = lab("--json", "--profile", str(day)).json["inputs"]
    assert inputs["requests_per_second"] == 5
    assert len(inputs["rates"]) == 24


def make_run(folder: Path, **meta: Any) -> Path:
    path = create_run(folder / "run")
    update_meta(path, {"duration_s": 10.0, **meta})
    write_hosts(path, [HostRow("a", "eu-west-2a", 250, 0, 1.0, 1.0, 1.0, 1.0, 100.0, 110.0)])
    return path


def test_a_measured_run_becomes_the_inputs(lab: Command, tmp_path: Path) -> None:
    path = make_run(tmp_path, response_bytes_mean=54.5, settings={"rate": 25.0})
    ran = lab("--json", "--results", str(path))
    inputs = ran.json["inputs"]
    assert (inputs["requests_per_second"], inputs["response_bytes"], inputs["tasks"]) == (25, 54.5, 1)
    assert "reference" not in lab("--results", str(path)).out


def test_of_a_run_it_is_said_what_it_does_not_tell(lab: Command, tmp_path: Path) -> None:
    path = make_run(tmp_path, response_bytes_mean=54.5, settings={"rate": 25.0, "region": "eu-central-1"})
    out = lab("--results", str(path)).out
    assert "The run was in eu-central-1, and the prices are those of eu-west-2: `--region eu-central-1` takes" in out
    assert "--cpu, --memory, --architecture and --network give others." in out
    given = lab("--results", str(path), "--region", "eu-west-2", "--network", "nat").out
    assert not re.search("The run was in|give others", given)


@pytest.mark.parametrize(
    ("text", "why"),
    [('resource "aws_vpc" "a" {', "is not JSON"), ('{"version": 4}', "is not the stack")],
)
def test_a_stack_of_ones_own_is_given_by_options(lab: Command, tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "main.tf").write_text(text)
    refused = lab("--stack", str(tmp_path / "main.tf"))
    assert (refused.code, refused.out) == (2, "")
    assert why in refused.err
    assert "What another stack has is given by options, such as --region, --tasks, --cpu, --memory, -" in refused.err


def test_a_closed_loop_is_priced_at_a_reference_unless_a_rate_is_given(lab: Command, tmp_path: Path) -> None:
    path = make_run(tmp_path, response_bytes_mean=54.5)
    assert lab("--json", "--results", str(path)).json["inputs"]["requests_per_second"] == 10
    says = "so a reference is priced instead, 10 requests/s; --requests-per-second gives another."
    assert says in lab("--results", str(path)).out
    given = lab("--results", str(path), "--requests-per-second", "3").out
    assert "3 requests/s" in given
    assert "reference" not in given


def test_a_given_size_stands_in_for_one_not_measured(lab: Command, tmp_path: Path) -> None:
    path = make_run(tmp_path)
    refused = lab("--results", str(path))
    assert (refused.code, refused.out) == (2, "")
    assert "has no payload sizes" in refused.err
    assert lab("--json", "--results", str(path), "--response-kb", "3").json["inputs"]["response_bytes"] == 3072


def test_pictures_are_written(lab: Command, tmp_path: Path) -> None:
    assert lab("--csv", "--pictures", str(tmp_path / "pictures")).code == 0
    assert (tmp_path / "pictures" / "costs-rate.svg").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--region", "../x"], "--region '../x': must be a Region's name such as eu-west-2"),
        (["--cpu", "0.5"], "--cpu '0.5': it is in CPU units, 1,024 for a vCPU: 0.5 vCPU is 512"),
        (["--cpu", "300"], "Fargate has no task of 300 CPU units"),
        (["--memory", "700"], "Fargate has no task of 256 CPU units with 700 MiB"),
        (["--requests-per-second", "-1"], "--requests-per-second '-1': must be greater than or equal to 0"),
        (["--requests-per-second", "many"], "--requests-per-second 'many': must be a valid decimal"),
        (["--requests-per-second", "nan"], "must be a finite number"),
        (["--response-kb", "inf"], "must be a finite number"),
        (["--requests-per-second", "1e400"], "must be less than or equal to 1000000000000"),
        (["--tasks", "0"], "--tasks '0': must be greater than or equal to 1"),
        (["--azs", "7"], "--azs '7': must be less than or equal to 6"),
        (["--architecture", "RISC"], "--architecture 'RISC': must be 'X86_64' or 'ARM64'"),
        (["--network", "pigeon"], "--network 'pigeon': must be 'endpoints', 'nat', 'public' or 'none'"),
        (["--load-balancer-addresses", "-1"], "--load-balancer-addresses '-1': must be"),
        (["--new-connections", "3", "--requests-per-second", "0"], "cannot go with no requests at all"),
        (["--new-connections", "-1"], "--new-connections '-1' for each request: must be greater than or equal to 0"),
        (
            ["--new-connections", "1e12", "--requests-per-second", "1e-12"],
            "must be less than or equal to 1000000000000",
        ),
        (["--results", "deep"], "is it the folder of a run"),
        (["--stack", "deep/run.json"], "is not the stack that this model knows"),
        (["--prices", "deep/run.json"], "cannot be used"),
        (["--profile", "deep"], "cannot be read"),
        (["--assume", ""], "'' is not assumed"),
        (["--json", "--csv"], "choose one"),
        (["--profile", "day.csv", "--requests-per-second", "1"], "choose one"),
        (["--profile", "day.csv"], "day.csv cannot be read"),
        (["--results", "nowhere"], "is it the folder of a run"),
        (["--stack", "nowhere.json"], "make synth"),
        (["--assume", "weather=1"], "'weather' is not assumed"),
        (["--against", "public-alb-public-tasks", "--network", "none"], "no way of its own"),
        (["update", "--region", "x"], "--region 'x'"),
        (["--against", "pigeon"], "there is no way 'pigeon'"),
        (["--prices", "nowhere.json"], "--prices"),
        (["update", "--offer", "AmazonMars"], "no price is taken from the offer 'AmazonMars'"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    lab: Command, tmp_path: Path, arguments: list[str], says: str
) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "run.json").write_text("[" * 100_000)
    ran = lab(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err
    assert ran.err.startswith("lab: ")
    assert ran.err.count("\n") == 1


def test_update_over_http(lab: Command, tmp_path: Path, price_list_url: str) -> None:
    path = Path(shutil.copy(PRICE_FILE, tmp_path / "prices.json"))
    ran = lab("update", "--base-url", price_list_url, "--prices", str(path))
    assert ran.code == 0
    assert "fargate_x86_vcpu: 0.04656 -> 0.048" in ran.out
    # The largest file is fetched only where it is asked for.
    assert "nat_hour: kept (its offer was not asked for)" in ran.out
    ran = lab("update", "--base-url", price_list_url, "--prices", str(path), "--offer", "AmazonEC2")
    assert "nat_hour: 0.05 -> 0.052" in ran.out
    vcpu = [line for line in way(lab("--json", "--prices", str(path)), "public-alb")["lines"] if "vCPU" in line["item"]]
    assert vcpu[0]["usd"] == pytest.approx(3 * 0.25 * 730 * 0.048)


def test_an_unreachable_price_list_ends_with_3(lab: Command, tmp_path: Path) -> None:
    path = Path(shutil.copy(PRICE_FILE, tmp_path / "prices.json"))
    ran = lab("update", "--base-url", "http://127.0.0.1:1", "--prices", str(path))
    assert (ran.code, ran.out) == (3, "")
    assert "--base-url" in ran.err


def test_help_does_not_wait_for_heavy_libraries() -> None:
    code = (
        "import sys, lab.cli\n"
        "heavy = {'matplotlib', 'rich', 'httpx', 'boto3', 'scipy', 'lab.costs.study', 'lab.costs.update'}\n"
        "heavy &= set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--requests-per-second", "1e12"],
        ["--requests-per-second", "1e-300"],
        ["--requests-per-second", "0", "--response-kb", "0", "--request-kb", "0"],
        ["--image-mb", "1e12", "--images-kept", "100000", "--insights", "--tasks", "100000"],
        ["--connection-seconds", "1e12", "--azs", "6", "--load-balancer-addresses", "0"],
        ["--assume", "cross_az_share=0.5", "--azs", "1"],
    ],
)
def test_what_can_be_priced_at_the_edge_is(lab: Command, arguments: list[str]) -> None:
    ran = lab("--json", *arguments)
    assert (ran.code, ran.err) == (0, "")
    assert all(each["total_usd"] >= 0 for each in ran.json["ways"])


def test_without_prices_or_a_network_the_command_is_said_with_3(lab: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.costs.update.OFFER_FILES", "http://127.0.0.1:1")
    ran = lab("--region", "us-east-1")
    assert (ran.code, ran.out) == (3, "")
    assert "`lab costs update --region us-east-1`, on a machine that reaches" in ran.err
    assert ran.err.count("\n") == 1
