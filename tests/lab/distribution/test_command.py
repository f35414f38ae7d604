from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.cli import fraction, ratios
from lab.errors import BadInput
from load.results import (
    HostRow,
    LatencyRow,
    TimelineRow,
    create_run,
    update_meta,
    write_hosts,
    write_latency,
    write_timeline,
)
from tests.command import Command

SEED_RUN = "   1183 ip-10-0-218-147\n   1115 ip-10-0-221-6\n   1253 ip-10-0-66-78\n"
REQUIRED = {
    "requests",
    "hosts",
    "chi_square",
    "degrees_of_freedom",
    "p_value",
    "dispersion",
    "max_deviation",
    "cramers_v",
    "bound_percent",
    "evidence",
}

LATE = (
    "The answers vary over time, 9.47 times as much as by chance: the shares do, or a task that paused answered late."
)


@pytest.fixture
def lab(lab: Command) -> Command:
    """Runs `lab distribution`."""
    return partial(lab, "distribution")


@pytest.fixture
def seed_run(tmp_path: Path) -> str:
    path = tmp_path / "counts.txt"
    path.write_text(SEED_RUN)
    return str(path)


def test_the_run_that_started_the_project(lab: Command, seed_run: str) -> None:
    code, out, _ = lab(seed_run)
    assert code == 0
    assert "taken for counts, as `sort | uniq -c` writes them" in out
    assert "No host is more than 11.7 % off its share (95 % confidence, if requests are independent)." in out
    assert (
        out.splitlines()[1]
        == "Uneven: ip-10-0-66-78 got 5.86 % more requests than its share (p = 0.018; 0.036 as one of 2 tests)."
    )
    assert "33.39% to 37.23%" in out
    assert "─●─" in out


def test_json_has_what_scripts_need(lab: Command, seed_run: str) -> None:
    code, out, _ = lab(seed_run, "--json")
    found: dict[str, Any] = json.loads(out)
    assert code == 0
    assert found.keys() >= REQUIRED
    assert (found["evidence"], found["requests"], found["hosts"]) == (True, 3551, 3)
    assert (found["p_value"], found["chi_square"]) == (pytest.approx(0.0179, abs=5e-5), pytest.approx(8.045, abs=5e-4))
    assert found["bound_percent"] == pytest.approx(11.7, abs=0.05)
    assert [share["host"] for share in found["shares"]] == ["ip-10-0-218-147", "ip-10-0-221-6", "ip-10-0-66-78"]


def test_json_with_order_and_time(lab: Command, tmp_path: Path) -> None:
    path = tmp_path / "raw.txt"
    hosts = np.random.default_rng(1).choice(["a", "b", "c"], 2_000)
    path.write_text("".join(f"{1_764_000_000 + i // 40} {host}\n" for i, host in enumerate(hosts)))
    found = json.loads(lab(str(path), "--json")[1])
    assert found["dependence"]["matrix"]["hosts"] == list(dict.fromkeys(hosts))
    assert np.sum(found["dependence"]["matrix"]["rows"]) == 1_999
    assert found["longer_run"]["answer"] == "cannot-tell"
    text = lab(str(path))[1]
    assert "Transition matrix against independence" in text
    assert "Cannot tell yet: " in text
    assert "are uneven each by itself at 5 %, 1.6 by chance" in text


@pytest.mark.parametrize(("counts", "code"), [(SEED_RUN, 1), ("10 a\n12 b\n", 0), ("400 a\n400 b\n400 c\n", 0)])
def test_check_says_no_with_its_exit_code(lab: Command, tmp_path: Path, counts: str, code: int) -> None:
    path = tmp_path / "counts.txt"
    path.write_text(counts)
    assert lab(str(path), "--check")[0] == code


def test_shares_that_drift_are_told_once_and_are_no_yes(lab: Command, tmp_path: Path) -> None:
    """What one host loses another gets, so that all counts together are even."""
    rng, path = np.random.default_rng(3), tmp_path / "hosts.txt"
    shares = [(0.2 + 0.26 * part, 0.46 - 0.26 * part, 0.34) for part in np.linspace(0, 1, 3_000)]
    path.write_text("\n".join(rng.choice(list("abc"), p=p) for p in shares))

    code, out, err = lab(str(path), "--check")

    assert out.splitlines()[1].startswith("Not shown to be uneven")
    assert out.splitlines()[2].startswith("The shares drift (p < 0.0001")
    assert "answered late" not in out
    assert code == 1
    assert "evidence that it is uneven in time" in err


def test_answers_in_runs_are_said_to_be_so_and_are_not_uneven(lab: Command, tmp_path: Path) -> None:
    """200 runs of 20 answers, each of a host at random: as counts alone they would be evidence."""
    hosts = np.repeat(np.random.default_rng(2).choice(list("abc"), 200), 20)
    path, counts = tmp_path / "hosts.txt", tmp_path / "counts.txt"
    path.write_text("\n".join(hosts))
    counts.write_text("".join(f"{np.count_nonzero(hosts == host)} {host}\n" for host in "abc"))

    code, out, _ = lab(str(path), "--check")

    verdict = out.splitlines()[1]
    assert code == 0
    assert verdict.startswith(
        "Not shown to be uneven (p = 0.53; 1 as one of 7 tests). So tested, a host 44.5 % off its share would be seen "
    )
    assert " requests one 5 % off. Independent" in verdict
    assert verdict.endswith(
        "Independent requests would seldom be spread so much (p < 0.0001); answers in runs are, and these are seen to "
        "be spread 24.8 times as much."
    )
    assert "it is p = 0.53 for as much spread" in out
    code, out, _ = lab(str(counts), "--check")
    assert code == 1
    assert out.splitlines()[1].startswith("Uneven: b got 12.5 % more")


@pytest.mark.parametrize(
    ("slowest_us", "said"),
    [
        (20_000, "The shares vary over time, 9.47 times as much as by chance."),
        (2_000_000, LATE),
        (None, LATE),
    ],
)
def test_late_answers_are_not_told_from_shares_that_vary(
    lab: Command, tmp_path: Path, slowest_us: int | None, said: str
) -> None:
    """A run in which one host answers more in every second second."""
    folder = create_run(tmp_path / "run")
    rows = [TimelineRow(s, host, 200, 50 + 15 * (-1) ** (s + (host == "b"))) for s in range(20) for host in "ab"]
    write_hosts(folder, [HostRow(host, "", 1_000, 0, 0.5, 1.0, 1.0, 1.0, 0.0, 20.0) for host in "ab"])
    write_timeline(folder, rows)
    if slowest_us is not None:
        write_latency(folder, [LatencyRow(s, us, 50) for s in range(20) for us in (1_000, slowest_us)])
    update_meta(folder, {"requests": 2_000, "failures": 0, "start": 0.0, "end": 20.0, "complete": True})

    out = lab(str(folder))[1]

    assert out.splitlines()[2] == said
    assert ("beyond what late answers can make)" in out) == (slowest_us is not None)


def test_a_run_without_any_host_says_what_its_requests_were_answered_with(lab: Command, tmp_path: Path) -> None:
    folder = create_run(tmp_path / "run")
    write_hosts(folder, [HostRow("", "", 153, 153, 1.0, 1.0, 1.0, 1.0, 0.0, 2.0)])
    write_timeline(folder, [TimelineRow(0, "", 404, 150), TimelineRow(1, "", 0, 3)])

    code, _, err = lab(str(folder))

    assert code == 2
    assert err.strip().endswith(
        f"{folder}: all 153 requests failed, and no answer named a host: 150 with 404, 3 without an answer."
    )


def test_what_was_amiss_with_the_load_of_a_run_is_told_once(lab: Command, tmp_path: Path) -> None:
    folder = create_run(tmp_path / "run")
    write_hosts(folder, [HostRow(name, "", 300, 0, 0.5, 1.0, 1.0, 1.0, 0.0, 9.0) for name in ("a", "b")])
    write_timeline(folder, [TimelineRow(second, name, 200, 30) for second in range(10) for name in ("a", "b")])
    lost = [{"worker": "w", "last_report": 3.0, "last_heard": 5.0, "requests": 40}]
    whole = {
        "end": 10.0,
        "duration_s": 10.0,
        "users": 1,
        "due": 6001,
        "requests": 600,
        "unfinished": 0,
        "complete": True,
    }
    update_meta(folder, {**whole, "start": 0.0, "settings": {"rate": 600.0}, "workers_lost": []})

    _, out, _ = lab(str(folder))
    missed = (
        "60 of 600 requests/s could be sent, and the wait to be sent is in the response times. About 5,401 requests"
    )
    assert out.count(missed) == 1
    assert sum(note.startswith(missed) for note in json.loads(lab(str(folder), "--json")[1])["notes"]) == 1

    update_meta(folder, {"workers_lost": lost})
    _, out, _ = lab(str(folder))
    assert out.count("60 of 600 requests/s are in the counts: a process of Locust stopped") == 1
    assert out.count("1 of Locust's processes did not report all that they sent: 40 requests") == 1


def test_of_a_run_that_goes_on_it_is_said_and_not_that_it_missed_its_rate(lab: Command, tmp_path: Path) -> None:
    """As it is read while it runs, or once it was killed: hostnames.csv is written every few seconds."""
    folder = create_run(tmp_path / "run")
    write_hosts(folder, [HostRow(host, "", 100, 0, 0.5, 1.0, 1.0, 1.0, 0.0, 4.0) for host in "ab"])
    write_timeline(folder, [TimelineRow(s, host, 200, 50) for s in range(5) for host in "ab"])
    update_meta(folder, {"settings": {"rate": 1_000}, "start": 0.0, "end": 5.0, "duration_s": 5.0, "complete": False})

    code, out, _ = lab(str(folder))

    assert code == 0
    assert "The run is not complete: its load goes on, or was killed." in out
    assert "of the 200 requests of hostnames.csv; timeline.csv has 500." in out
    assert "could be sent" not in out


def test_zones_of_a_table(lab: Command, tmp_path: Path) -> None:
    path = tmp_path / "hostnames.csv"
    path.write_text("hostname,availability_zone,requests\na,z1,500\nb,z1,520\nc,z2,490\nd,z2,515\n,,9\n")
    code, out, _ = lab(str(path), "--entry", "z1=1")
    assert code == 0
    assert "No zone is more than" in out
    assert "Crossed zones: 49.6 % of the requests, with requests that come in by zone (z1 100 %)" in out
    assert "9 more requests have no known host" in out


def test_weights_and_detect(lab: Command, tmp_path: Path) -> None:
    path = tmp_path / "counts.txt"
    path.write_text("2000 a\n1003 b\n1010 c\n")
    found = json.loads(lab(str(path), "--weights", "a=2", "--detect", "20%", "--json")[1])
    assert (found["evidence"], found["detect"]) == (False, 0.2)
    assert found["requests"] > found["requests_needed"]


def test_weights_go_by_the_names_that_pages_show_and_by_no_others(lab: Command, tmp_path: Path) -> None:
    path = tmp_path / "counts.txt"
    path.write_text("2000 a.internal\n1003 b.internal\n1010 b.other\n")
    found = json.loads(lab(str(path), "--weights", "a=2", "--json")[1])
    assert (found["evidence"], found["requests"]) == (False, 4_013)
    assert found == json.loads(lab(str(path), "--weights", "a.internal=2", "--json")[1])
    for name, hosts, have in (("b", "several hosts", "have"), ("c", "no host", "has")):
        code, out, err = lab(str(path), "--weights", f"{name}=2")
        assert (code, out) == (2, "")
        assert f"--weights {name}=2: {hosts} of {path} {have} that name: give one such as a.internal, b.internal" in err


def test_only_the_hosts_furthest_off_are_shown(lab: Command, tmp_path: Path) -> None:
    path = tmp_path / "counts.txt"
    path.write_text("".join(f"{1_000 + number} host-{number:03}\n" for number in range(100)))
    out = lab(str(path))[1]
    assert "The 40 of 100 hosts that are furthest off:" in out
    assert "host-000" in out
    assert "host-050" not in out


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_pictures(lab: Command, seed_run: str, tmp_path: Path, suffix: str) -> None:
    picture = tmp_path / f"picture.{suffix}"
    assert lab(seed_run, "--picture", str(picture))[0] == 0
    assert picture.stat().st_size > 1_000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--picture", "picture.gif"], "picture.gif is neither .svg nor .png"),
        (["--picture", "no/such/folder/picture.svg"], "cannot be written: no such file or directory"),
        (["--weights", "a"], "--weights 'a' is not a name, an equals sign and a number"),
        (["--weights", "a=b"], "--weights 'a=b' has no number"),
        (["--weights", "ip-10-0-66-78=-1"], "the weight -1 of host 'ip-10-0-66-78'"),
        (["--detect", "5"], "--detect 5 could be 5% or a fraction: write 5%"),
        (["--detect", "much"], "--detect 'much' is not a percentage such as 5%"),
        (["--settle", "-1"], "a settle time of -1 s cannot be left out"),
        (["--detect", "0"], "a skew of 0 cannot be looked for"),
    ],
)
def test_bad_options_are_one_sentence(lab: Command, seed_run: str, arguments: list[str], words: str) -> None:
    code, _, err = lab(seed_run, *arguments)
    assert code == 2
    assert words in err
    assert len(err.strip().splitlines()) == 1


def test_one_host_is_nothing_to_compare(lab: Command, tmp_path: Path) -> None:
    path = tmp_path / "raw.txt"
    path.write_text("a\n" * 30)
    code, _, err = lab(str(path))
    assert code == 2
    assert f"{path}, lines 1 to 30: only one host (a) answered" in err


@pytest.mark.parametrize(("text", "value"), [("5%", 0.05), ("5 %", 0.05), ("0.05", 0.05), ("0.5%", 0.005), ("1", 1.0)])
def test_fractions(text: str, value: float) -> None:
    assert fraction(text, "--detect") == pytest.approx(value)


def test_ratios() -> None:
    assert ratios(["a=2", "b=c=0.5"], "--weights") == {"a": 2.0, "b=c": 0.5}
    assert ratios(None, "--weights") == {}
    with pytest.raises(BadInput, match="not a name"):
        ratios(["=2"], "--weights")


def test_who_was_there_is_taken_from_the_run(lab: Command) -> None:
    """Of one task stopped and one that came: what Cloud Map said, and five seconds around it."""
    run = Path(__file__).parent.parent / "golden" / "run"
    found = json.loads(lab(str(run), "--json")[1])
    unsettled = json.loads(lab(str(run), "--settle", "0", "--json")[1])
    assert found["settle"] == 5.0
    assert 0 < unsettled["left_out"] < found["left_out"]
    assert [share["host"] for share in found["shares"] if share["joined"]] == ["ip-10-0-0-6.eu-west-2.compute.internal"]


def test_an_order_is_not_named_a_policy(lab: Command, tmp_path: Path) -> None:
    """Never the same host twice, and random otherwise: not in turn. Independent, with a drift: not sticky."""
    rng = np.random.default_rng(3)
    never = np.cumsum(rng.integers(1, 3, 2_000)) % 3
    drifting = np.concatenate((rng.choice(3, 2_000, p=[0.5, 0.3, 0.2]), rng.choice(3, 2_000, p=[0.2, 0.3, 0.5])))
    for answers, often in ((never, "less"), (drifting, "more")):
        file = tmp_path / f"{often}.txt"
        file.write_text("".join(f"host-{number}\n" for number in answers))
        said = lab(str(file)).out
        assert f"The host of the answer before comes again {often} often than random choice makes it." in said
        assert "in turn" not in said
        assert "stick" not in said


def test_a_longer_run_is_not_told_to_need_fewer_requests_than_there_were(lab: Command, tmp_path: Path) -> None:
    """One of three hosts is 5 % off, in runs with about as many requests as show that."""
    rng = np.random.default_rng(6)
    said = []
    for _ in range(40):
        file = tmp_path / "answers.txt"
        file.write_text("".join(f"host-{number}\n" for number in rng.choice(3, 18_000, p=[0.35, 0.325, 0.325])))
        found = lab(str(file), "--json").json
        if found["longer_run"]["answer"] == "cannot-tell":
            enough = found["longer_run"]["requests_needed"] <= found["requests"]
            said.append(enough)
            assert ("Cannot tell yet" in lab(str(file)).out) is not enough
    assert True in said


def test_times_in_no_order_say_nothing_of_the_order_of_answers(lab: Command, tmp_path: Path) -> None:
    """Hosts come and go in it, so that a second has answers of those that are there alone."""
    rng = np.random.default_rng(8)
    there = {second: "abc" if second < 45 else "bcd" for second in range(90)}
    lines = [f"{1_764_000_000 + s} {host}" for s, names in there.items() for host in rng.choice(list(names), 100)]
    (ordered := tmp_path / "ordered").write_text("\n".join(lines))
    (shuffled := tmp_path / "shuffled").write_text("\n".join(rng.permutation(lines)))

    found = lab(str(shuffled), "--json").json
    assert not {"order", "transitions"} & {each["what"] for each in found["tested"]}
    assert "the order of the lines was not used" in lab(str(shuffled)).out
    assert "order" in {each["what"] for each in lab(str(ordered), "--json").json["tested"]}


def test_tables_as_spreadsheets_write_them(lab: Command, tmp_path: Path) -> None:
    (table := tmp_path / "table.csv").write_bytes(b"\xef\xbb\xbfrequests,hostname\r\n1000,a\r\n1300,b\r\n")
    assert lab(str(table), "--json").json["requests"] == 2300
    table.write_text("hostname;requests\na;1000\nb;1300\n")
    assert (lab(str(table)).code, "is a table parted by semicolons" in lab(str(table)).err) == (2, True)


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        (["a=1e308"], "is no number from 1e-06 to 1e+06"),
        (["a=0"], "is no number from 1e-06 to 1e+06"),
        (["a=1", "a=2"], "--weights names a twice: give each host or zone one number"),
    ],
)
def test_weights_that_cannot_be_meant(lab: Command, tmp_path: Path, weights: list[str], says: str) -> None:
    (counts := tmp_path / "counts").write_text("1000 a\n1000 b\n1200 c\n")
    refused = lab(str(counts), *(word for weight in weights for word in ("--weights", weight)))
    assert (refused.code, refused.out) == (2, "")
    assert says in refused.err


def test_weights_that_are_met_exactly_leave_no_dust(lab: Command, tmp_path: Path) -> None:
    (counts := tmp_path / "counts").write_text("1000 a\n1000 b\n1200 c\n")
    found = lab(str(counts), "--weights", "c=1.2", "--json").json
    assert (found["chi_square"], found["dispersion"], found["cramers_v"], found["max_deviation"]) == (0, 0, 0, 0)
