"""The commands, with what measures in the place of what takes minutes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks import figures
from benchmarks.__main__ import main
from benchmarks.figure import Figure, Goal
from benchmarks.results import read
from tests.command import Command, in_process


@pytest.fixture
def command() -> Command:
    def ended() -> None:
        raise SystemExit(main())

    return in_process("benchmarks", ended)


@pytest.fixture
def speed(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Makes `quick` take so long, beside what fails and what takes minutes."""

    def quick_takes(seconds: float) -> None:
        def quick() -> Iterator[Figure]:
            ours = tuple(seconds + turn / 1000 for turn in range(5))
            yield Figure("quick", "ours", "theirs", "s", "less", ours, (1.0,) * 5, Goal("ratio", 1.5))

        def broken() -> Iterator[Figure]:
            raise RuntimeError("no such server")

        monkeypatch.setattr(figures, "BENCHMARKS", {"quick": quick, "broken": broken, "tests": quick})

    quick_takes(1.0)
    return quick_takes


@pytest.mark.usefixtures("speed")
def test_what_cannot_be_measured_is_named_and_the_rest_is_written(command: Command, tmp_path: Path) -> None:
    ran = command("--out", str(tmp_path / "run.json"))

    assert ran.code == 3
    assert "broken: RuntimeError: no such server" in ran.err
    assert "quick: 1.002 s, theirs: 1; ratio 1 (1 to 1, 5 turns); as its goal has it" in ran.out
    run = read(tmp_path / "run.json")
    assert [figure.name for figure in run.figures] == ["quick"]
    assert run.skipped == {"tests": "takes minutes: name it", "broken": "RuntimeError: no such server"}
    assert len(run.about["load"]) == 2


def test_what_got_slower_is_named_and_ends_with_1(
    command: Command, speed: Callable[[float], None], tmp_path: Path
) -> None:
    old, new = str(tmp_path / "old.json"), str(tmp_path / "new.json")
    assert command("quick", "--out", old).code == 0
    speed(2.0)
    ran = command("quick", "--out", new, "--compare", old)

    assert ran.code == 1
    assert "NOT as its goal has it" in ran.out
    assert "SLOWER  quick: 100% worse, ratio 1, now 2" in ran.out
    back = command("--compare", new, "--new", old)
    assert (back.code, back.out) == (0, "faster  quick: 50% better, ratio 2, now 1\n")
    assert command("--compare", old, "--new", old).out == "same    quick: ratio 1, now 1\n"


@pytest.mark.usefixtures("speed")
@pytest.mark.parametrize("arguments", [["unknown"], ["--compare", "absent.json"]])
def test_unusable_arguments_are_told_in_a_line(command: Command, arguments: list[str]) -> None:
    ran = command(*arguments)

    assert ran.code == 2
    assert arguments[-1] in ran.err
