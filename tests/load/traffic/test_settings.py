from __future__ import annotations

import random
from argparse import Namespace

import pytest

from load.errors import BadOption
from load.traffic.arrivals import Arrivals, PathMix
from load.traffic.settings import DEFAULTS, Connections, LoadSettings
from load.traffic.shapes import users_at


def test_options_left_out_have_their_defaults() -> None:
    settings = LoadSettings.from_options(None)
    assert settings == LoadSettings.from_options(dict(DEFAULTS))
    assert settings.paths == (("/hostname", 1.0),)
    assert settings.connections == Connections("keep-alive")
    assert settings.rate is None
    assert settings == LoadSettings.from_options({"rate": "0"})


def test_the_root_is_a_path() -> None:
    assert LoadSettings.from_options({**DEFAULTS, "path_mix": "/=2,hostname=1"}).paths == (
        ("/", 2.0),
        ("/hostname", 1.0),
    )


def test_options_are_parsed() -> None:
    options = Namespace(
        path_mix="hostname=9, /payload=1,slow/hostname?delay_ms=50=0.5",
        payload_bytes="10",
        connections="pooled:3",
        rate="12.5",
        shape="soak",
        authorization="AWS_IAM",
        region="eu-west-2",
    )
    assert LoadSettings.from_options(options) == LoadSettings(
        paths=(("/hostname", 9.0), ("/payload?bytes=10", 1.0), ("/slow/hostname?delay_ms=50", 0.5)),
        connections=Connections("pooled", 3),
        rate=12.5,
        shape="soak",
        authorization="AWS_IAM",
        region="eu-west-2",
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("path_mix", ""),
        ("path_mix", "hostname=0"),
        ("path_mix", "hostname=inf"),
        ("path_mix", "hostname=nan"),
        ("path_mix", "host name=1"),
        ("path_mix", "http://elsewhere=1"),
        ("path_mix", "//elsewhere=1"),
        ("payload_bytes", "1.5"),
        ("payload_bytes", "10000001"),
        ("payload_bytes", "²"),
        ("connections", "pooled:0"),
        ("connections", "keep-alive:2"),
        ("rate", "nan"),
        ("rate", "-1"),
        ("shape", "flat"),
        ("authorization", "BASIC"),
        ("region", "London"),
    ],
)
def test_a_bad_value_is_named_with_its_option(name: str, text: str) -> None:
    with pytest.raises(BadOption) as caught:
        LoadSettings.from_options({name: text})
    assert str(caught.value).startswith(f"--{name.replace('_', '-')} {text!r}: ")


def test_arrivals_keep_their_rate_whatever_comes_between() -> None:
    arrivals = Arrivals(0.1, 50.0, random.Random(1))
    due = [arrivals.next() for _ in range(1001)]
    assert 50.0 <= due[0] < 50.1
    assert due[1000] - due[0] == pytest.approx(100.0)


@pytest.mark.parametrize("rate", [20.0, 500.0])
@pytest.mark.parametrize("steps", [(2, 8), (8, 1), (1, 5, 2, 9, 9, 3)])
def test_users_who_come_and_go_send_the_rate_together(rate: float, steps: tuple[int, ...]) -> None:
    rng, now, sent = random.Random(2), 0.0, 0
    users: list[Arrivals] = []
    for there in steps:
        del users[there:]
        for user in users:
            user.pace(there / rate, now)
        users += [Arrivals(there / rate, now, rng) for _ in range(there - len(users))]
        now += 10.0
        before = sent
        for user in users:
            while user.due <= now:
                user.next()
                sent += 1
        # Each user may be one request ahead or behind.
        assert sent - before == pytest.approx(10 * rate, abs=there)


def test_what_is_overdue_stays_so_at_another_pace() -> None:
    arrivals = Arrivals(1.0, 0.0, random.Random(1))
    first = arrivals.due
    arrivals.pace(4.0, 10.0)
    assert arrivals.next() == pytest.approx(first)
    assert arrivals.due == pytest.approx(first + 4)


def test_paths_come_as_often_as_their_weights_say() -> None:
    mix = PathMix((("/a", 9.0), ("/b", 1.0)), random.Random(1))
    chosen = [mix.choose() for _ in range(10_000)]
    assert chosen.count("/a") == pytest.approx(9000, abs=150)
    assert PathMix((("/a", 0.5),), random.Random(1)).choose() == "/a"


@pytest.mark.parametrize(
    ("shape", "duration", "expected"),
    [
        ("steps", 100.0, {0: 2, 19.9: 2, 20: 4, 50: 6, 80: 10, 99.9: 10, 100: None}),
        ("spike", 100.0, {0: 1, 39.9: 1, 40: 10, 59.9: 10, 60: 1, 100: None}),
        ("soak", 100.0, {0: 1, 5: 5, 10: 10, 99.9: 10, 100: None}),
        ("soak", None, {0: 1, 15: 5, 30: 10, 1e6: 10}),
        ("steps", None, {0: 2, 299: 10, 300: None}),
        ("constant", 100.0, {0: 10, 99: 10, 100: None}),
    ],
)
def test_shapes_add_and_take_away_users(shape: str, duration: float | None, expected: dict[float, int | None]) -> None:
    assert {elapsed: users_at(shape, elapsed, duration, 10) for elapsed in expected} == expected
