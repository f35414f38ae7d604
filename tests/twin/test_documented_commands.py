"""Every command of the AWS CLI, of `twin` and of curl that README and docs show for a twin, run against one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.twin.running import PROJECT, STACK, RunningTwin, TwinFactory
from twin.credentials import environment

PAGES = ("README.md", "docs/own-service.md", "docs/twin.md", "docs/services.md", "docs/reference/ecs.md")
_PROGRAMS = ("aws", "curl", "twin")
# These start a twin of their own, stay, or name what only their reader has.
_NOT_ALONE = re.compile(r"twin (up|init)\b|--follow|/orders/7|TASK\b")
_LAST = "twin down"


def shown(page: str) -> Iterator[str]:
    """The commands in the blocks of *page*, without their comments."""
    text = re.sub(r"\\\n *", "", (PROJECT / page).read_text())
    blocks = re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    for line in "\n".join(blocks).splitlines():
        command = re.sub(r"\s+#.*", "", line).strip()
        if command.startswith(_PROGRAMS) and not _NOT_ALONE.search(command):
            yield command


COMMANDS = [command for command in dict.fromkeys(c for page in PAGES for c in shown(page)) if command != _LAST]


@pytest.fixture(scope="module")
def folder(start_twin: TwinFactory, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunningTwin]:
    """A user's folder, in which `twin up` is at work."""
    folder = tmp_path_factory.mktemp("user")
    return folder, start_twin(synth=STACK, state=folder / ".twin")


def run(command: str, folder: Path, twin: RunningTwin) -> subprocess.CompletedProcess[str]:
    given = environment(twin.aws_endpoint_url, "eu-west-2", twin.credentials, {})
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        command.replace("http://127.0.0.1:8000", twin.gateway_url),
        shell=True,
        cwd=folder,
        env={"PATH": path, "HOME": str(folder), "COLUMNS": "200", **given},
        capture_output=True,
        text=True,
        timeout=110,
    )


def test_there_are_commands_of_each_program() -> None:
    assert {command.split()[0] for command in COMMANDS} == set(_PROGRAMS)
    assert "aws ecs wait services-stable --cluster serviceconnect --services serviceconnect" in COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_it_does_what_it_is_shown_for(command: str, folder: tuple[Path, RunningTwin]) -> None:
    done = run(command, *folder)
    assert (done.returncode, bool(done.stdout or "wait" in command)) == (0, True), done.stderr


def test_twin_down_ends_it(folder: tuple[Path, RunningTwin]) -> None:
    twin = folder[1]
    assert run(_LAST, *folder).returncode == 0
    assert twin.process.wait(timeout=30) == 0
