from __future__ import annotations

import itertools
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from lab.experiments.findings import find
from lab.report.pictures import FAILURE, areas, new_figure
from lab.report.pictures.timeline import _names, _stack, heat_map, lost, timeline
from load.results import read_run
from tests.lab.experiments.runs import HOSTS, write_run


def colours(shares: list[float]) -> list[str]:
    """The fills of the cells, from left to right; cells in which nothing failed have none."""
    (svg,) = heat_map(("discovery_ttl", ""), [{"discovery_ttl": float(n)} for n in range(len(shares))], shares)
    cells = svg[svg.index('id="QuadMesh') : svg.index('id="matplotlib.axis')]
    return re.findall(r'style="fill: (?!none)([^"]*?)(?:; stroke[^"]*)?"', cells)


def test_a_share_has_the_same_colour_beside_any_other() -> None:
    assert colours([0.012])[0] == colours([0.012, 0.17])[0] == colours([0.9, 0.012])[1]
    assert len(set(colours([0.0001, 0.001, 0.01, 0.1, 1.0]))) == 5


def test_what_is_hardly_lossy_is_not_drawn_as_lossless() -> None:
    assert colours([0.0, 0.0]) == []
    assert len(colours([0.0, 0.00001])) == 1


# Linear RGB as it is seen without the cones for red, green or blue (Machado, Oliveira and Fernandes 2009, severity 1).
SEEN = {
    "all": np.eye(3),
    "no red": np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]),
    "no green": np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]),
    "no blue": np.array([[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]]),
}


def lab_of(colour: str, seen: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of a colour such as #2f7fd0."""
    srgb = np.array([int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(seen @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    t = xyz / np.array([0.9505, 1.0, 1.089])
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("kind", SEEN)
def test_parts_in_the_event_can_be_told_apart_by_everybody(kind: str) -> None:
    """CIE76: a difference of 2.3 is just seen; areas side by side want several times that."""
    roles = {f"{role}{n}": role for role in ("", "gone", "new") for n in range(3)}
    colours = {
        role: [colour for host, colour in areas(roles).items() if roles[host] == role] for role in roles.values()
    }
    colours["failed"] = [FAILURE]

    for one, other in itertools.combinations(colours, 2):
        for a, b in itertools.product(colours[one], colours[other]):
            assert np.linalg.norm(lab_of(a, SEEN[kind]) - lab_of(b, SEEN[kind])) > 15, (one, other, a, b)


def test_the_timeline_names_hosts_in_their_areas_and_leaves_out_seconds_that_are_not_whole(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", np.random.default_rng(1), lingers=2.5))
    roles = {"alpha": "", "beta": "", "gamma": "gone", "delta": "new"}
    both = timeline(run, find(run), roles, [9.2, 3.9])
    for width, svg in zip((9.2, 3.9), both, strict=True):
        assert [svg] == timeline(run, find(run), roles, [width])  # as if it were the only one
        words = [e.text for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("text")]
        assert {*roles, "stop", "stays", "gone", "new", "failed (below the axis)", "p50", "p99"} <= set(words)


def test_the_name_of_an_event_is_not_cut_off(tmp_path: Path) -> None:
    """One that is long ends at its line where there is room on a narrow screen, and begins at it elsewhere."""
    for at, side in ((2.4, "left"), (25.4, "right")):
        run = read_run(write_run(tmp_path / side, np.random.default_rng(1), name="rollout", at=at))
        (svg,) = timeline(run, find(run), dict.fromkeys(HOSTS, ""), [3.9])
        (text,) = [e for e in ElementTree.fromstring(svg).iter() if e.text == "start of the rollout"]
        ends_at_line = "text-anchor: end" in text.attrib["style"]
        assert ends_at_line is (side == "right")
        assert float(text.attrib["x"]) - 0.085 * 72 * len(text.text or "") * ends_at_line > 0


def test_a_host_without_room_for_its_name_in_its_area_is_named_in_the_legend(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", np.random.default_rng(1), seconds=13, at=3.4))
    long = "ip-10-0-255-255-of-another-name"
    rows = tuple(row._replace(hostname=long) if row.hostname == "gamma" else row for row in run.timeline)
    roles = {"alpha": "", "beta": "", long: "gone", "delta": "new"}
    (svg,) = timeline(replace(run, timeline=rows), find(run), roles, [3.9])
    words = [e.text for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("text")]
    assert long not in words
    assert f"gone: {long}" in words
    assert {"delta", "new", "stays"} <= set(words)


def test_names_stand_inside_of_their_areas() -> None:
    """A host whose part narrows and moves under the middle of its time: its name is where all of it fits."""
    figure = new_figure(4.0)
    axes = figure.subplots()
    low, high = np.full(20, 50), np.full(20, 40)
    low[8:12], high[8:12] = 5, 3
    seconds, hosts = np.arange(21), ["low", "high"]
    tops = _stack(axes, seconds, hosts, np.array([low, high]), {"low": "#aaaaaa", "high": "#bbbbbb"})

    (name,) = [text for text in _names(axes, seconds, hosts, tops, 9.2, 20) if text.get_text() == "high"]
    x, y = name.xy
    half = 0.085 * len("high") * 20 / (9.2 - 0.9) / 2
    inside = range(int(x - half), int(np.ceil(x + half)))
    assert all(low[second] < y < low[second] + high[second] for second in inside)
    assert not set(inside) & set(range(8, 12))


def test_the_second_in_which_the_load_ended_is_not_drawn(tmp_path: Path) -> None:
    """Some answers come after it, and it is not whole."""
    folder = write_run(tmp_path / "run", np.random.default_rng(1), name="baseline", at=None, seconds=10)
    run = read_run(folder)
    last = run.timeline[-1].second
    roles = dict.fromkeys(("alpha", "beta", "gamma"), "")
    whole = timeline(run, find(run), roles)
    late = replace(run, timeline=(*run.timeline, run.timeline[-1]._replace(second=last + 1)))
    ended = replace(late, meta={**run.meta, "end": last + 0.6})

    assert timeline(ended, find(ended), roles) == whole
    assert timeline(replace(late, meta={**run.meta, "end": None}), find(run), roles) != whole


def test_the_first_and_the_last_second_are_not_drawn(tmp_path: Path) -> None:
    """They are not whole: every run would seem to begin and to end with a collapse."""
    folder = write_run(tmp_path / "run", np.random.default_rng(1), name="baseline", at=None, seconds=10)
    run = read_run(folder)
    first, last = run.timeline[0].second, run.timeline[-1].second
    fewer = tuple(row._replace(requests=1) if row.second in (first, last) else row for row in run.timeline)
    roles = dict.fromkeys(("alpha", "beta", "gamma"), "")

    assert timeline(replace(run, timeline=fewer), find(run), roles) == timeline(run, find(run), roles)


def test_names_of_slow_seconds_leave_room_for_what_they_are(tmp_path: Path) -> None:
    """Its names are as wide as 10,000; at the left edge what is beyond it is cut off."""
    run = read_run(write_run(tmp_path / "run", np.random.default_rng(1), name="baseline", at=None, seconds=10))
    slow = replace(run, latency=tuple(row._replace(latency_us=8_000_000) for row in run.latency))
    roles = dict.fromkeys(("alpha", "beta", "gamma"), "")

    for each in (run, slow):
        (narrow,) = timeline(each, find(each), roles, [3.9])
        (foot,) = re.findall(r'x="([-\d.]+)" y="[-\d.]+" transform="rotate[^>]*>ms<', narrow)
        assert float(foot) > 9  # points, which is the height of its letters
        assert 'height="338.4pt"' in narrow  # of 4.7 inches, of which a legend of one line is 0.2


def _bars(svg: str) -> list[float]:
    """Of each bar how wide it is, from the top."""
    drawn = re.findall(r'<path d="M ([\d.]+) [\d.]+ \nL ([\d.]+) [\d.]+ \nL [^"]*z\n" clip-path', svg)
    return [abs(float(right) - float(left)) for left, right in drawn]


def test_what_each_event_lost_is_a_bar_as_long_as_its_seconds_and_named() -> None:
    ways = ("no load balancer, ends at once", "load balancer, ends at once")
    events = {
        "When a task was stopped": {ways[0]: [0.5], ways[1]: [0.0]},
        "When an application crashed": {ways[0]: [1.5]},
    }
    broad, narrow = lost(events, [9.2, 3.9])

    for svg in (broad, narrow):
        words = " ".join(each.text or "" for each in ElementTree.fromstring(svg).iter() if each.tag.endswith("text"))
        assert all(event in words for event in events)
        assert [part for part in ("0.5 s", "none", "1.5 s") if part in words] == ["0.5 s", "none", "1.5 s"]
        assert words.count("load balancer, ends at once") == 3
        first, *_, last = [width for width in _bars(svg) if width]
        assert last / first == pytest.approx(3, rel=0.01)
    assert lost({"When a task was stopped": {ways[0]: [0.0, 0.0]}}) == []


def test_a_narrow_screen_leaves_the_bars_room_and_no_axis_goes_beyond_the_longest() -> None:
    found = [0.5, 0.7, 0.94]
    own = {"no load balancer, serves on for 20 s": found, "load balancer, on a stack with one": [0.01, 0.02, 0.05]}
    for svg, width in zip(lost({"When a task was stopped": own}, [9.2, 3.9]), (9.2, 3.9), strict=True):
        assert max(_bars(svg)) > 0.3 * 72 * width
        texts = [each.text or "" for each in ElementTree.fromstring(svg).iter() if each.tag.endswith("text")]
        ticks = [float(text) for text in texts if re.fullmatch(r"[\d.]+", text)]
        assert len(ticks) >= 3
        assert max(ticks) <= max(found)
        assert f"{ticks[1] - ticks[0]:.1e}"[:3] in ("1.0", "2.0", "5.0")


def test_of_repeats_each_is_a_dot_and_the_bar_goes_to_the_median() -> None:
    (svg,) = lost({"During a rollout": {"no load balancer": [0.2, 0.4, 1.0]}, "At a stop": {"no load balancer": [0.4]}})

    median, single = [width for width in _bars(svg) if width]
    assert median == pytest.approx(single, rel=0.01)
    assert len(re.findall(f"<use [^>]*fill: {FAILURE}", svg)) == 3
    assert "0.4 (0.2 to 1.0) s" in svg.replace("\xa0", " ")
    assert "no load balancer" not in svg  # the only way goes without saying
