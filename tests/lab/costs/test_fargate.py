from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.costs.fargate import SIZES, Size, fit, is_size
from lab.costs.scenario import Scenario
from lab.errors import BadInput

unhurried = settings(deadline=None)

sizes = st.sampled_from([Size(cpu, memory) for cpu, memories in SIZES.items() for memory in memories])
needs = st.builds(Size, st.integers(0, 16384), st.integers(0, 122880))


@given(sizes)
@unhurried
def test_every_size_fits_itself(size: Size) -> None:
    assert is_size(size)
    assert fit(size) == size


@given(needs, needs)
@unhurried
def test_a_greater_need_never_gets_a_smaller_size(need: Size, more: Size) -> None:
    small, great = fit(need), fit(need + more)
    if small and great:
        assert small.cpu <= great.cpu
        assert small.memory <= great.memory


@pytest.mark.parametrize(
    ("cpu", "memory", "plain", "proxied"),
    [
        # The smallest step holds the proxy, or is needed without it too.
        (256, 512, Size(256, 512), Size(256, 512)),
        (512, 1024, Size(256, 1024), Size(512, 1024)),
        (1024, 2048, Size(1024, 2048), Size(1024, 2048)),
    ],
)
def test_within_a_deployed_size_the_share_costs_only_where_the_size_falls_without_it(
    cpu: int, memory: int, plain: Size, proxied: Size
) -> None:
    found = Scenario(cpu=cpu, memory=memory).task_sizes
    assert (found.plain, found.proxied) == (plain, proxied)


@pytest.mark.parametrize(
    ("cpu", "memory", "proxied"),
    [(256, 512, Size(512, 1024)), (512, 1024, Size(1024, 2048)), (1024, 2048, Size(2048, 4096))],
)
def test_on_top_of_the_applications_own_size_fargates_next_step_is_needed(cpu: int, memory: int, proxied: Size) -> None:
    found = Scenario(cpu=cpu, memory=memory, proxy="on-top").task_sizes
    assert (found.plain, found.proxied) == (Size(cpu, memory), proxied)


def test_above_500_requests_a_second_for_each_task_the_proxy_needs_twice_the_cpu() -> None:
    at = Scenario(tasks=2).at_rate
    assert at(Decimal(1000)).task_sizes.proxied == Size(256, 512)
    assert at(Decimal(1001)).task_sizes.proxied == Size(512, 1024)


def test_the_largest_size_cannot_grow() -> None:
    largest = Scenario(cpu=16384, memory=122880, tasks=1)
    assert largest.task_sizes.proxied == Size(16384, 122880)


def test_on_top_of_the_largest_size_there_is_none() -> None:
    with pytest.raises(BadInput, match="no task that holds 16384 CPU units"):
        Scenario(cpu=16384, memory=122880, proxy="on-top")
