from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lab.costs.scenario import Scenario
from lab.costs.stack import default_scenario
from lab.costs.study import study_of_run
from lab.costs.traffic import asked_rate, read_measured, read_profile, scenario_of_run
from lab.errors import BadInput
from load.results import HostRow, create_run, read_run, update_meta, write_hosts

HEADER = "hour,requests_per_second\n"
DAY = HEADER + "".join(f"{hour},{hour / 2}\n" for hour in range(24))


def profile(folder: Path, text: str) -> Path:
    path = folder / "day.csv"
    path.write_text(text)
    return path


def test_a_days_profile(tmp_path: Path) -> None:
    rates = read_profile(profile(tmp_path, DAY))
    assert rates == tuple(Decimal(hour) / 2 for hour in range(24))
    assert Scenario(rates=rates).mean_rate == Decimal("5.75")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1: the header"),
        ("a,b\n", "line 1: the header"),
        (HEADER + "0,1\n2,1\n", "line 3: hour 1"),
        (HEADER + "0,1,1\n", "line 2: hour 0"),
        (HEADER + "0,many\n", "line 2: 'many' is not a number"),
        (HEADER + "0,-1\n", "line 2: requests per second = -1"),
        (HEADER + "0,NaN\n", "line 2: requests per second = NaN"),
        (HEADER + "0,1\n", "has 1 hours; a day has 24"),
        (DAY + "24,1\n", "line 26: hour 24"),
    ],
)
def test_a_wrong_profile_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        read_profile(profile(tmp_path, text))


def test_a_profile_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_profile(tmp_path / "none.csv")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="not a CSV file"):
        read_profile(tmp_path / "binary")


def host(name: str, zone: str, requests: int, first: float, last: float) -> HostRow:
    return HostRow(name, zone, requests, 0, 0.0, 1.0, 1.0, 1.0, first, last)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of 30 s in which the last of three tasks was replaced half-way."""
    path = create_run(tmp_path / "run")
    update_meta(path, {"duration_s": 30.0, "response_bytes_mean": 123.5})
    write_hosts(
        path,
        [
            host("", "", 6, 1015.0, 1016.0),
            host("a", "eu-west-2a", 1000, 1000.0, 1030.0),
            host("b", "eu-west-2b", 1000, 1000.0, 1030.0),
            host("c", "eu-west-2a", 494, 1000.0, 1015.0),
            host("d", "eu-west-2c", 500, 1016.0, 1030.0),
        ],
    )
    return path


def measured(folder: Path, scenario: Scenario, response_bytes: Decimal | None = None) -> Scenario:
    return scenario_of_run(read_measured(folder), scenario, response_bytes)


def test_a_measured_run_gives_payload_hosts_and_zones(run: Path) -> None:
    found = measured(run, Scenario(rates=(Decimal(7),), tasks=9, azs=2))
    assert found == Scenario(rates=(Decimal(7),), response_bytes=Decimal("123.5"), tasks=3, azs=3)


def test_only_an_open_loop_gives_the_rate_and_it_is_the_one_asked_for(run: Path) -> None:
    # 3,000 requests in 30 s were measured.
    for closed in (None, {}, {"rate": None}, {"rate": 0}):
        update_meta(run, {"settings": closed})
        assert asked_rate(read_run(run)) is None
        assert measured(run, Scenario()).rates == Scenario().rates
    update_meta(run, {"settings": {"rate": 120.5}})
    assert asked_rate(read_run(run)) == Decimal("120.5")
    assert measured(run, Scenario()).rates == (Decimal("120.5"),)


@pytest.mark.parametrize("rate", [-1, "fast", True])
def test_a_wrong_rate_is_refused(run: Path, rate: object) -> None:
    update_meta(run, {"settings": {"rate": rate}})
    with pytest.raises(BadInput, match="rate = "):
        measured(run, Scenario())


def test_a_request_size_that_was_measured_counts_too(run: Path) -> None:
    update_meta(run, {"request_bytes_mean": 77})
    assert measured(run, Scenario()).request_bytes == 77


def test_without_hosts_and_zones_the_stacks_serve(run: Path) -> None:
    write_hosts(run, [host("", "", 3000, 1000.0, 1030.0)])
    found = measured(run, Scenario(tasks=7, azs=4))
    assert (found.tasks, found.azs) == (7, 4)


def test_a_run_without_payload_sizes_is_refused_with_the_way_out(run: Path) -> None:
    update_meta(run, {"response_bytes_mean": None})
    with pytest.raises(BadInput, match=r"no payload sizes.*--response-kb"):
        measured(run, Scenario())
    assert measured(run, Scenario(), Decimal(2048)).response_bytes == 2048


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"duration_s": 0}, "no duration_s above 0"),
        ({"duration_s": None}, "duration_s = None"),
        ({"duration_s": "long"}, "duration_s = 'long'"),
        ({"response_bytes_mean": -1}, "response_bytes_mean = -1"),
        ({"request_bytes_mean": True}, "request_bytes_mean = True"),
    ],
)
def test_a_run_with_a_wrong_number_is_refused(run: Path, values: dict[str, Any], says: str) -> None:
    update_meta(run, values)
    with pytest.raises(BadInput, match=says):
        measured(run, Scenario())


def test_the_study_of_a_run(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = study_of_run(read_run(run))
    assert found.scenario == measured(run, default_scenario())
    assert found.bills[0].total.value > 0


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is it the folder of a run"):
        read_measured(tmp_path)
