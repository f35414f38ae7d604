"""Whether a load sent the rate that was asked for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from load.rate import Lateness, behind_sentence, counted_seconds, due, is_missed, missed_sentence


@pytest.mark.parametrize(
    ("sent", "rate", "seconds", "users", "missed"),
    [
        (25_224, 20_000, 10, 16, True),
        (1_000, 100, 10, 16, False),
        (945, 100, 10, 1, False),  # half a second to begin with
        (900, 100, 10, 1, True),
        (1_120, 100, 11.511, 16, False),  # 97.3 % of what was due
        (1_060, 100, 11.511, 16, True),
        (900, 100, 10, 100, False),  # each may be one short
        (0, 100, 0.2, 1, False),
    ],
)
def test_a_rate_is_missed(sent: int, rate: float, seconds: float, users: int, missed: bool) -> None:
    assert is_missed(sent, rate, seconds, users) is missed


def test_what_was_due_is_that_of_the_seconds_since_the_last_reset() -> None:
    assert counted_seconds(10.0, 110.0, []) == 10
    assert counted_seconds(10.0, 110.0, [102.0, 104.0]) == 6
    assert counted_seconds(10.0, 110.0, [111.0]) == 0
    assert due(2.5, [(100.0, 1.0)], 104.0, 110.0) == 15
    steps = [(100.0, 0.2), (103.0, 0.4), (105.0, 1.0)]
    assert due(100, steps, 99.0, 110.0) == pytest.approx(60 + 80 + 500)
    assert due(100, steps, 104.0, 106.0) == pytest.approx(40 + 100)
    assert due(100, steps, 101.0, 102.0) == pytest.approx(20)
    assert due(100, [], 100.0, 110.0) == 0


def behind(interval: float, until: float, sent: Callable[[float], float]) -> list[float]:
    """When it is said that requests are behind, of those that are due at this interval and sent as `sent` says."""
    lateness, count = Lateness(), round(until / interval)
    times = [(number * interval, sent(number * interval)) for number in range(count)]
    return [now for due, now in times if lateness.is_behind(due, now)]


def test_requests_are_behind_where_they_have_been_late_for_five_seconds_and_that_is_said_every_five() -> None:
    # Half of them can be sent: each is as late as it was due. The half second is over at 1 s, and was due at 0.5 s.
    assert behind(0.1, 8.5, lambda due: 2 * due) == pytest.approx([6.0, 11.0, 16.0], abs=0.5)
    assert behind(0.1, 60, lambda due: due + 0.4) == []
    # A pause that is made up for.
    assert behind(0.1, 60, lambda due: max(due, 14.0) if due > 10 else due) == []
    # One request that waits for its turn.
    lateness = Lateness()
    assert [now for now in range(9) if lateness.is_behind(0.0, float(now))] == [6]


def test_what_is_behind_is_said_as_what_is_missed() -> None:
    wait, _, advice = (
        missed_sentence(500, 1000, 100, 10, False).partition(" could be sent, and ")[2].partition(" About ")
    )
    advice = advice.partition(" too low. ")[2]
    assert behind_sentence(20_000).endswith(f": 20,000 requests/s could not be kept up, and {wait} {advice}")


def test_the_sentence_says_what_was_sent_and_no_cause_that_is_not_known() -> None:
    assert missed_sentence(25_224, 200_000, 20_000, 10, False).startswith("2,522 of 20,000 requests/s could be sent, ")
    assert missed_sentence(5, 10, 0.5, 20, False).startswith("0.25 of 0.5 requests/s could be sent, ")
    lost = missed_sentence(500, 1000, 100, 10, True)
    assert lost.startswith("50 of 100 requests/s are in the counts: ")
    assert "--users" not in lost


def test_the_sentence_says_how_many_are_in_no_percentile() -> None:
    never = "About 365 requests that were due were never sent and are in no percentile, so percentiles are too low. "
    assert never in missed_sentence(1254, 1619, 200, 8.095, False)
    assert never not in missed_sentence(1254, 1619, 200, 8.095, True)
