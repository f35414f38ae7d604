from __future__ import annotations

import pytest

from lab.errors import BadInput
from lab.runner.actions import by_task, cells, require_drains_end


def test_two_sweeps_are_a_grid() -> None:
    assert cells(["discovery_ttl=0,5", "drain_seconds=0,2.5"], on_aws=False) == [
        {"discovery_ttl": 0, "drain_seconds": 0},
        {"discovery_ttl": 0, "drain_seconds": 2.5},
        {"discovery_ttl": 5, "drain_seconds": 0},
        {"discovery_ttl": 5, "drain_seconds": 2.5},
    ]


def test_without_a_sweep_there_is_one_cell_and_nothing_to_set() -> None:
    assert cells([], on_aws=True) == [{}]


def test_a_grid_is_run_with_as_few_deployments_as_it_takes() -> None:
    grid = cells(["discovery_ttl=0,5", "drain_seconds=10,0"], on_aws=False)

    assert by_task(grid) == [
        ({"drain_seconds": 0}, [{"discovery_ttl": 0, "drain_seconds": 0}, {"discovery_ttl": 5, "drain_seconds": 0}]),
        ({"drain_seconds": 10}, [{"discovery_ttl": 0, "drain_seconds": 10}, {"discovery_ttl": 5, "drain_seconds": 10}]),
    ]
    assert by_task([{}]) == [({}, [{}])]


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["discovery_ttl"], "is not a name and numbers"),
        (["discovery_ttl=0,a"], "is not a name and numbers"),
        (["discovery_ttl=1,1"], "names something twice"),
        (["drain_seconds=1", "drain_seconds=2"], "names something twice"),
        (["drain_seconds=120"], "give a number from 0 to 119"),
        (["stop_timeout=1"], "give a whole number from 2 to 120"),
        (["stop_timeout=2.5"], "give a whole number from 2 to 120"),
        (["a=1", "b=1", "c=1"], "a grid has 2 at most"),
    ],
)
def test_what_cannot_be_swept(texts: list[str], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        cells(texts, on_aws=False)


def test_on_aws_only_the_task_can_be_set() -> None:
    assert cells(["drain_seconds=0,5"], on_aws=True) == [{"drain_seconds": 0}, {"drain_seconds": 5}]
    with pytest.raises(BadInput, match="discovery_ttl cannot be done on AWS"):
        cells(["discovery_ttl=0"], on_aws=True)


def test_a_drain_that_is_cut_off_is_refused() -> None:
    now = {"drain_seconds": 20.0, "stop_timeout": 30.0}
    require_drains_end(cells(["drain_seconds=0,29"], on_aws=False), now)
    require_drains_end(cells(["drain_seconds=0,30", "stop_timeout=31,60"], on_aws=False), now)
    with pytest.raises(BadInput, match=r"drain_seconds=30 is cut off by the stop timeout of 30 s, .* give less, or"):
        require_drains_end(cells(["drain_seconds=5,30"], on_aws=False), now)
    with pytest.raises(BadInput, match="drain_seconds=20 is cut off by the stop timeout of 10 s"):
        require_drains_end(cells(["drain_seconds=20", "stop_timeout=10"], on_aws=True), now)
