from __future__ import annotations

import pytest

from lab.distribution.judgement import Zones, analyse
from lab.errors import BadInput
from lab.records.observations import Observations

COUNTS = {"a1": 1_000, "a2": 1_020, "b1": 980, "c1": 1_000}
ZONES = {"a1": "eu-west-2a", "a2": "eu-west-2a", "b1": "eu-west-2b", "c1": "eu-west-2c"}


def zones_of(counts: dict[str, int], zones: dict[str, str], entry: dict[str, float] | None = None) -> Zones:
    found = analyse(Observations("run", "a run", 1, counts, zones), entry=entry).zones
    assert found is not None
    return found


def test_zones_are_judged_against_the_hosts_that_they_have() -> None:
    found = zones_of(COUNTS, ZONES)
    assert [(zone.zone, zone.hosts, zone.share.requests) for zone in found.zones] == [
        ("eu-west-2a", 2, 2_020),
        ("eu-west-2b", 1, 980),
        ("eu-west-2c", 1, 1_000),
    ]
    assert found.zones[0].share.expected_share == pytest.approx(0.5)
    assert found.between is not None
    assert found.between.hosts == 3
    assert found.between.p_value == pytest.approx(0.7408, abs=5e-5)
    assert found.zones[0].within is not None
    assert found.zones[0].within.hosts == 2
    assert found.zones[1].within is None


def test_a_zone_that_gets_more_than_its_hosts_explain_is_uneven() -> None:
    found = zones_of({"a1": 1_200, "a2": 1_200, "b1": 800, "c1": 800}, ZONES)
    assert found.between is not None
    assert found.between.p_value < 1e-6
    assert found.zones[0].within is not None
    assert found.zones[0].within.p_value == 1


def test_crossed_is_what_is_answered_elsewhere_than_it_came_in() -> None:
    assumed = zones_of(COUNTS, ZONES)
    assert assumed.entry_assumed
    assert assumed.crossed == pytest.approx(2 / 3)
    only_a = zones_of(COUNTS, ZONES, {"eu-west-2a": 1})
    assert not only_a.entry_assumed
    assert only_a.crossed == pytest.approx(1 - 2_020 / 4_000)
    elsewhere = zones_of(COUNTS, ZONES, {"eu-west-2d": 1})
    assert elsewhere.crossed == 1


def test_hosts_without_a_zone_are_left_out() -> None:
    found = zones_of(COUNTS, {"a1": "eu-west-2a", "b1": "eu-west-2b"})
    assert [zone.hosts for zone in found.zones] == [1, 1]
    assert analyse(Observations("run", "a run", 1, COUNTS)).zones is None


def test_a_single_zone_has_nothing_between() -> None:
    found = zones_of(COUNTS, dict.fromkeys(COUNTS, "eu-west-2a"))
    assert found.between is None
    assert found.crossed == 0


def test_no_requests_cross_nothing() -> None:
    assert zones_of({"a1": 0, "b1": 0}, ZONES).crossed == 0


def test_a_weight_that_cannot_be() -> None:
    with pytest.raises(BadInput, match="the weight -1 of zone eu-west-2a"):
        zones_of(COUNTS, ZONES, {"eu-west-2a": -1})
