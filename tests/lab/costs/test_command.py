"""`lab costs` as a user runs it."""

from __future__ import annotations

import csv
import io
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


def option(ran: Ran, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in ran.json["options"] if each["name"] == name)
    return found


def test_the_table(lab: Command) -> None:
    ran = lab("--requests-per-second", "10", "--response-kb", "10", "--tasks", "3", "--region", "eu-west-2")
    assert ran.code == 0
    for text in ("HTTP API requests", "ALB capacity units", "total", "exposing alone", "30.48", "(f) VPC Lattice"):
        assert text in ran.out
    assert "(a) and (d) public-alb break even at" in ran.out
    assert "What moves (a) less (d) most" in ran.out
    assert ran.out.splitlines()[1].startswith("Is it cheaper? Not at 10 requests/s: ")
    (total,) = (line for line in ran.out.splitlines() if "total with the proxy's share on top" in line)
    assert total.split()[-1] == "176.80"
    assert "The proxy's share: AWS advises 256 CPU units" in ran.out
    assert "Mixed payloads: all requests are taken to be of the mean size" in ran.out
    assert ran.out.count("with the proxy's share on top (a) is cheaper") == 5
    assert "discovery_calls_per_request" in ran.out
    assert max(len(line) for line in ran.out.splitlines() if "HTTP API requests" in line) <= 120


def test_json_is_pure_and_complete(lab: Command) -> None:
    ran = lab("--json")
    assert ran.code == 0
    assert ran.err == ""
    content = ran.json
    assert [each["option"] for each in content["options"]] == list("abcdef")
    for option in content["options"]:
        assert sum(line["usd"] for line in option["lines"]) == pytest.approx(option["total_usd"])
        assert option["range_usd"][0] <= option["total_usd"] <= option["range_usd"][1]
        assert all(line["source"] and line["date"] for line in option["lines"])
    assumed = {line["item"] for option in content["options"] for line in option["lines"] if "assumed" in line}
    assert {
        "Cloud Map discovery calls",
        "between zones, both directions",
        "Lattice data",
        "NLB capacity units",
    } <= assumed
    assert "HTTP API requests" not in assumed
    (point,) = (each for each in content["break_even"] if each["against"] == "public-alb")
    assert point["range"][0] < point["requests_per_second"] <= point["range"][1]
    assert point["cheaper_below"] == "service-connect"
    assert content["sensitivity"][0]["swing_usd"] >= content["sensitivity"][1]["swing_usd"]
    assert content["inputs"]["tasks"] == 3
    assert content["verdict"].startswith("Is it cheaper? Not at")
    assert content["http_api_steps"]["counted"] == content["http_api_steps"]["of_mixed_payloads"][0] == 1
    share = content["proxy_share"]
    assert share["without"]["total_usd"] == content["options"][0]["total_usd"] < share["with"]["total_usd"]
    assert {point["against"] for point in share["without"]["break_even"]} >= {"public-alb", "internal-alb"}
    assert not {point["against"] for point in share["with"]["break_even"]} & {"public-alb", "internal-alb"}


def test_json_says_both_shares_whichever_is_asked_for(lab: Command) -> None:
    within, on_top = (lab("--json", "--proxy", proxy).json for proxy in ("within", "on-top"))
    assert within["proxy_share"] == on_top["proxy_share"]
    assert on_top["proxy_share"]["with"]["total_usd"] == on_top["options"][0]["total_usd"]
    assert "proxy_share" in lab("--json", "--cpu", "16384", "--memory", "122880").json


def test_payloads_above_10_mb_are_not_compared(lab: Command) -> None:
    ran = lab("--response-kb", "10241")
    assert ran.out.splitlines()[1].startswith("Is it cheaper? It is not possible: API Gateway carries at most 10 MB")
    (total,) = (line for line in ran.out.splitlines() if line.startswith("total"))
    assert [cell == "-" for cell in total.split()[1:]] == [True, True, True, False, True, False]
    for words in ("break even", "proxy's share", "What moves (a)", "(a) is cheaper"):
        assert words not in ran.out
    assert "(f) " in ran.out[ran.out.index("Assumed, and what") :]
    content = lab("--json", "--response-kb", "10241").json
    assert content["break_even"] == content["sensitivity"] == []
    assert content["proxy_share"] is None
    assert [each["possible"] for each in content["options"]] == [False, False, False, True, False, True]
    assert all(each["possible"] for each in lab("--json", "--response-kb", "10240").json["options"])


def test_csv_has_a_row_for_each_line(lab: Command) -> None:
    ran = lab("--csv")
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    assert {row["option"] for row in rows} == set("abcdef")
    total = sum(Decimal(row["usd"]) for row in rows if row["name"] == "public-alb")
    assert float(total) == pytest.approx(option(lab("--json"), "public-alb")["total_usd"])


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
        "--proxy": "on-top",
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
        "--assume": "discovery_calls_per_request=1",
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
        "proxy": "on-top",
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
        "discovery_calls_per_request": 1,
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
        (["--region", "mars-1"], "there are no prices for Region 'mars-1'"),
        (["--cpu", "300"], "Fargate has no task of 300 CPU units"),
        (["--memory", "700"], "Fargate has no task of 256 CPU units with 700 MiB"),
        (["--requests-per-second", "-1"], "--requests-per-second -1 must be a number that is at least 0"),
        (["--requests-per-second", "many"], "--requests-per-second 'many' is not a number"),
        (["--requests-per-second", "nan"], "must be a number"),
        (["--response-kb", "inf"], "must be a number"),
        (["--requests-per-second", "1e400"], "requests per second = 1E+400 must be a number from 0 to"),
        (["--tasks", "0"], "tasks = 0 must be a number from 1 to 1,000,000,000,000"),
        (["--azs", "7"], "azs = 7 must be at most 6"),
        (["--architecture", "RISC"], "architecture = 'RISC' must be one of X86_64, ARM64"),
        (["--network", "pigeon"], "network = 'pigeon' must be one of endpoints, nat, public, none"),
        (["--proxy", "beside"], "proxy = 'beside' must be one of within, on-top, unreserved"),
        (["--load-balancer-addresses", "-1"], "load balancer addresses = -1"),
        (["--new-connections", "3", "--requests-per-second", "0"], "cannot go with no requests at all"),
        (["--json", "--csv"], "choose one"),
        (["--profile", "day.csv", "--requests-per-second", "1"], "choose one"),
        (["--profile", "day.csv"], "day.csv cannot be read"),
        (["--results", "nowhere"], "is it the folder of a run"),
        (["--stack", "nowhere.json"], "make synth"),
        (["--assume", "weather=1"], "'weather' is not assumed"),
        (["--against", "pigeon"], "there is no option 'pigeon'"),
        (["--prices", "nowhere.json"], "--prices"),
        (["update", "--source", "crystal-ball"], "must be files or api"),
        (["update", "--offer", "AmazonMars"], "no price is taken from the offer 'AmazonMars'"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(lab: Command, arguments: list[str], says: str) -> None:
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
    assert "nat_hour: kept (AmazonEC2 was not asked)" in ran.out
    ran = lab("update", "--base-url", price_list_url, "--prices", str(path), "--offer", "AmazonEC2")
    assert "nat_hour: 0.05 -> 0.052" in ran.out
    vcpu = [
        line for line in option(lab("--json", "--prices", str(path)), "public-alb")["lines"] if "vCPU" in line["item"]
    ]
    assert vcpu[0]["usd"] == pytest.approx(3 * 0.25 * 730 * 0.048)


def test_an_unreachable_price_list_ends_with_3(lab: Command, tmp_path: Path) -> None:
    path = Path(shutil.copy(PRICE_FILE, tmp_path / "prices.json"))
    ran = lab("update", "--base-url", "http://127.0.0.1:1", "--prices", str(path))
    assert (ran.code, ran.out) == (3, "")
    assert "--base-url" in ran.err


def test_help_does_not_wait_for_heavy_libraries() -> None:
    code = (
        "import sys, lab.cli\n"
        "heavy = {'matplotlib', 'rich', 'httpx', 'boto3', 'scipy', 'lab.costs.study'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
