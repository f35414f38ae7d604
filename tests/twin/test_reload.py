from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.twin.aws.ecs.world import World
from twin.machine.reporting import reporting
from twin.reload import changed_files, reloading, snapshot
from twin.tasks.program import Command
from twin.tasks.programs import Program


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("1")


def test_what_tools_make_and_what_is_hidden_is_not_watched(tmp_path: Path) -> None:
    write(
        tmp_path,
        "app.py",
        "deep/er/app.js",
        "data.db",
        "a.log",
        ".env",
        ".git/HEAD",
        "node_modules/a.js",
        "a/__pycache__/b.pyc",
    )
    write(tmp_path, "venv/pyvenv.cfg", "venv/lib/a.py")

    assert set(snapshot(Program(Command([], tmp_path)))) == {"app.py", "deep/er/app.js"}


def test_patterns_say_which_files(tmp_path: Path) -> None:
    write(tmp_path, "app.py", "deep/er/app.py", "deep/app.js", "config.toml", "README")

    def names(*patterns: str) -> set[str]:
        return set(snapshot(Program(Command([], tmp_path), watch=patterns)))

    assert names("**/*.py") == {"app.py", "deep/er/app.py"}
    assert names("*.py", "config.*") == {"app.py", "config.toml"}
    assert names("deep/**/app.??") == {"deep/er/app.py", "deep/app.js"}
    assert names() == set()


def test_new_gone_and_changed_files(tmp_path: Path) -> None:
    program = Program(Command([], tmp_path), watch=["*"])
    write(tmp_path, "a", "b", "c")
    before = snapshot(program)
    (tmp_path / "a").write_text("22")
    (tmp_path / "b").unlink()
    write(tmp_path, "d")

    assert changed_files(before, snapshot(program)) == ["a", "b", "d"]
    (tmp_path / "link").symlink_to("nowhere")
    assert changed_files(snapshot(program), snapshot(program)) == []


def test_files_of_the_twin_terraform_and_locust_are_no_program(tmp_path: Path) -> None:
    terraforms = ("main.tf", "infra/twin_override.tf", "a.tf.json", "prod.auto.tfvars", "terraform.twin.tfstate")
    others = ("terraform.tfstate.backup", ".terraform.lock.hcl", "locustfile.py", "load/locustfile_orders.py")
    write(tmp_path, "app.py", "config.toml", "twin.toml", *terraforms, *others)
    program = Program(Command([], tmp_path), watch=["**/*"])

    assert set(snapshot(program, tmp_path / "twin.toml")) == {"app.py", "config.toml"}
    assert set(snapshot(program, tmp_path / "config.toml")) == {"app.py", "twin.toml"}
    assert "twin.toml" not in snapshot(Program(Command([], tmp_path)), tmp_path / "twin.toml")


class Watching:
    """`reloading` on a service in virtual time whose tasks are in Cloud Map from RUNNING on, as a real twin's."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "app.py"
        self.file.write_text("first")
        self.world = World()
        self.world.start()
        self.said: list[dict[str, Any]] = []
        self._looks = 0
        self.programs = {"": Program(Command([], folder))}
        self.advance(60)

    def watched(self) -> dict[str, Program]:
        self._looks += 1
        return self.programs

    def run(self, scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def watch() -> None:
            programs: Any = SimpleNamespace(file=self.file.with_name("twin.toml"), watched=self.watched)
            work = asyncio.create_task(reloading(programs, self.world.context, poll=0))
            await self.look()
            await scenario()
            work.cancel()

        with reporting(lambda kind, **details: self.said.append({"kind": kind, **details})):
            asyncio.run(watch())

    def advance(self, seconds: int) -> None:
        for _ in range(seconds):
            self.world.advance(1)
            for task in self.world.ecs.tasks.values():
                if task.last_status.value == "RUNNING":
                    task.steps.setdefault("registered", self.world.now)
                elif "registered" in task.steps:
                    task.steps.setdefault("deregistered", self.world.now)

    async def look(self) -> None:
        """Until it has looked at all of it, and once more."""
        before = self._looks
        while self._looks < before + 3:
            await asyncio.sleep(0)

    @property
    def messages(self) -> list[str]:
        assert {event["step"] for event in self.said} <= {"news"}
        return [event["message"] for event in self.said]


DEPLOYED = "Service shop is deployed anew, for app.py changed"


@pytest.mark.parametrize("serves_on", [2, 30])
def test_each_deployment_is_said_and_when_the_new_code_serves_alone(
    serves_on: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second edit follows within a minute, and its line is the same. Tasks get requests for 5 s after they left."""
    monkeypatch.setattr("tests.twin.aws.ecs.world.STOPS_WITHIN", serves_on)
    watching = Watching(tmp_path)
    world = watching.world

    async def scenario() -> None:
        for edit, text in enumerate(("second", "the third")):
            watching.file.write_text(text)
            await watching.look()
            assert watching.messages[2 * edit :] == [DEPLOYED]
            at, primary = world.now, world.service.primary
            while len(watching.messages) == 2 * edit + 1:
                assert world.now < at + 120
                watching.advance(1)
                await watching.look()
            former = [task for task in world.ecs.tasks.values() if task.deployment is not primary]
            out = max(min(task.steps["deregistered"] + 5, task.steps.get("STOPPED", world.now)) for task in former)
            assert world.now == max(out, *(task.steps["RUNNING"] for task in world.running))
            assert all(task.health.value == "HEALTHY" for task in world.running if task.deployment is primary)
            alone = f"Service shop: the new code serves alone ({world.now - at:.0f} s after the change)"
            assert watching.messages[-1] == alone

    watching.run(scenario)

    assert watching.messages[::2] == [DEPLOYED, DEPLOYED]
    assert capsys.readouterr().err.splitlines() == [f"twin: {message}" for message in watching.messages]


def test_a_table_that_is_added_is_a_change(tmp_path: Path) -> None:
    watching = Watching(tmp_path)
    family = watching.world.service.primary.task_definition.family

    async def scenario() -> None:
        watching.programs = {**watching.programs, family: Program(Command(["other"], tmp_path))}
        await watching.look()

    watching.run(scenario)

    assert watching.messages == ["Service shop is deployed anew, for its table in the twin.toml changed"]


def test_a_deployment_that_is_rolled_back_never_serves_alone(tmp_path: Path) -> None:
    watching = Watching(tmp_path)

    async def scenario() -> None:
        watching.file.write_text("of which no task starts")
        await watching.look()
        watching.world.tasks.cannot_start.add(watching.world.service.primary.task_definition.arn)
        watching.advance(120)
        await watching.look()

    watching.run(scenario)

    assert watching.messages == [DEPLOYED]
