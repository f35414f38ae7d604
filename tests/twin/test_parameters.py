from __future__ import annotations

import pytest

from twin.errors import BadInput
from twin.parameters import Balancing, Parameters


def test_assignments_change_what_they_name() -> None:
    changed = Parameters().changed(
        ["discovery-ttl=0", "front-ends=7", "balancing=round-robin", "reuse-connections=off"]
    )

    assert changed == Parameters(
        discovery_ttl=0.0, front_ends=7, balancing=Balancing.ROUND_ROBIN, reuse_connections=False
    )


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("discovery-ttl=soon", ("discovery-ttl", "soon", "a number")),
        ("discovery-ttl=nan", ("discovery-ttl", "0 to 3600")),
        ("discovery-ttl=-1", ("discovery-ttl", "0 to 3600")),
        ("balancing=fair", ("balancing", "fair", "random, round-robin, least-request")),
        ("front-ends=1.5", ("front-ends", "1.5", "a whole number")),
        ("front-ends=0", ("front-ends", "1 to")),
        ("reuse-connections=maybe", ("reuse-connections", "on or off")),
        ("colour=blue", ("colour=blue", "discovery-ttl")),
        ("discovery-ttl", ("NAME=VALUE",)),
        ("changed=1", ("changed=1", "discovery-ttl")),
    ],
)
def test_what_is_no_parameter_is_refused_with_what_would_be_one(assignment: str, words: tuple[str, ...]) -> None:
    with pytest.raises(BadInput) as refused:
        Parameters().changed([assignment])

    assert all(word in str(refused.value) for word in words), str(refused.value)
