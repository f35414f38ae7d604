"""Whether a load sent the rate that was asked for."""

from __future__ import annotations

import pytest

from load.rate import counted_seconds, due, is_missed, missed_sentence


@pytest.mark.parametrize(
    ("sent", "rate", "seconds", "users", "missed"),
    [
        (25_224, 20_000, 10, 16, True),
        (1_000, 100, 10, 16, False),
        (945, 100, 10, 1, False),  # half a second to begin with
        (900, 100, 10, 1, True),
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
    assert due(2.5, 6.0) == 15


def test_the_sentence_says_what_was_sent_and_no_cause_that_is_not_known() -> None:
    assert missed_sentence(2522.4, 20_000, False).startswith("2,522 of 20,000 requests/s could be sent, ")
    assert missed_sentence(0.25, 0.5, False).startswith("0.25 of 0.5 requests/s could be sent, ")
    lost = missed_sentence(50, 100, True)
    assert lost.startswith("50 of 100 requests/s are in the counts: ")
    assert "--users" not in lost
