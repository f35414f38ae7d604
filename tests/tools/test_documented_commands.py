"""Every command that README and docs show: run here, parsed here and run elsewhere, or named as one that needs AWS.

tests/twin/test_documented_commands.py runs those of the AWS CLI, of curl and of `twin` that need a twin.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import cli as lab_cli
from lab.experiments.catalogue import ALL, EXPERIMENTS
from lab.runner.actions import cells
from tests.command import Command, in_process
from tests.twin.running import PROJECT
from tests.twin.test_documented_commands import COMMANDS as RUN_ON_A_TWIN
from twin import cli as twin_cli

PAGES = [
    str(path.relative_to(PROJECT))
    for pages in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/*.md", "docs/reference/*.md", "load/groups/*.md")
    for path in sorted(PROJECT.glob(pages))
]
GOLDEN = PROJECT / "tests/lab/golden"

# A program, with variables before it or a prompt.
_PROGRAMS = "make|lab|twin|locust|aws|curl|git|source|eval|terraform"
_COMMAND = re.compile(rf"(?:\$ )?((?:[A-Z_]+=(?:'[^']*'|\S+) )*)((?:{_PROGRAMS}) .*)")
_DRAWN = "twin up: cdk.tf.json"  # the beginning of a drawing

# What is done on AWS, with a shared state or by several machines: parsed here where it is ours, and no more.
NEEDS_AWS = re.compile(
    r"outputs\.json|make (deploy|destroy|diff)|aws (s3|iam)|srv-\.\.\.|--task TASK_ID|--worker|--expect-workers"
)
# Fetches prices of hundreds of megabytes, or of a Region that is not in the price list: tests/lab/costs/test_update.py.
FETCHES = re.compile(r"costs update|--region us-east-1")
# What a shell does with the folder and the terminal of its reader.
SHELL = re.compile(r"git clone|source \.venv|eval |curl -i http|curl -s ")
# By whom what is only parsed here is run, or that which it is made of.
RUN_BY = {
    "make run": ".ci/run",
    "make test": ".ci/run",
    "make compare": "tests/tools/test_makefile.py",
    "make bench": "tests/benchmarks/test_main.py",
    "make ui": "tests/load/groups/test_web.py",
    "make synth": "tests/constructs/test_main.py",
    "make install": ".ci/run",
    "make develop": ".ci/run",
    "lab run": "tests/lab/runner/test_run.py",
    "lab drain-task": "tests/lab/runner/test_drain.py",
    "twin init": "tests/twin/stack/test_project.py",
    "twin up": "tests/twin/test_supervisor.py",
    "twin events": "tests/twin/test_event_log.py",
    "twin logs TASK --container otel": "tests/examples/test_traces.py",
    "terraform": "tests/examples/test_terraform.py",
    "twin stop TASK": "tests/examples/test_examples.py",
    "twin down": "tests/twin/test_documented_commands.py",
    "locust": "tests/load/traffic/test_locust.py",
}


def shown(page: str) -> Iterator[str]:
    """The commands in the blocks of *page*, without prompts, variables, comments and what they are piped into."""
    text = re.sub(r"\\\n *", "", (PROJECT / page).read_text())
    fences = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    fenced = [block for language, block in fences if language in ("", "bash", "sh", "console")]
    indented = re.findall(
        r"(?:^    .*\n)+", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )
    for line in "\n".join([*fenced, *indented]).splitlines():
        if not line.strip().startswith(_DRAWN):
            for command in re.split(r" && | \| ", re.sub(r"\s+#.*", "", line).strip()):
                if found := _COMMAND.fullmatch(command):  # not `cd` or `jq`
                    yield found[2].strip()


COMMANDS = sorted({command for page in PAGES for command in shown(page)})
OURS = [command for command in COMMANDS if command.startswith(("lab ", "twin ", "locust ", "make "))]


def test_there_are_many() -> None:
    assert len(COMMANDS) > 60
    assert {command.split()[0] for command in COMMANDS} >= {"make", "lab", "twin", "locust", "aws", "curl"}


def test_each_is_run_or_named() -> None:
    def proven(command: str) -> bool:
        if command in RUN_ON_A_TWIN or any(pattern.search(command) for pattern in (NEEDS_AWS, FETCHES, SHELL)):
            return True
        return reads_files(command) or any(command.startswith(beginning) for beginning in RUN_BY)

    assert [command for command in COMMANDS if not proven(command)] == []
    assert [file for file in RUN_BY.values() if not (PROJECT / file).exists()] == []


def reads_files(command: str) -> bool:
    """Whether it needs nothing but files, which are here."""
    asks = r"(report|table|compare|calibrate|distribution|simulate|costs)\b"
    return bool(re.match(f"lab {asks}", command)) and not FETCHES.search(command)


@pytest.mark.parametrize("command", [command for command in OURS if command.startswith("make ")])
def test_make_has_the_target(command: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SC_")}
    done = subprocess.run(
        ["make", "--dry-run", *shlex.split(command)[1:]], cwd=PROJECT, env=environment, capture_output=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [command for command in OURS if reads_files(command)])
def test_lab_answers_from_files(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, study = (shutil.copytree(GOLDEN / name, tmp_path / name) for name in ("run", "study"))
    (tmp_path / "hostnames.txt").write_text("a\nb\nc\nb\n" * 100)
    (tmp_path / "day.csv").write_text(
        "hour,requests_per_second\n" + "".join(f"{hour},{hour + 1}\n" for hour in range(24))
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"1183 a\n1115 b\n1253 c\n")))
    words = shlex.split(
        re.sub(r"results/<(its study|each of the folders)>", str(study), command).replace("results/<run>", str(run))
    )
    words = [str(run) if word.startswith("results/2026") else word for word in words]

    ran = in_process("lab", lab_cli.main)(*words[1:])
    assert ran.code == 0, ran.err
    assert ran.out


@pytest.mark.parametrize("command", [command for command in OURS if command.startswith("lab run ")])
def test_lab_run_takes_the_options(command: str) -> None:
    words = shlex.split(command)[2:]
    assert in_process("lab", lab_cli.main)("run", *words, "--list").code == 0
    names = words[: next((at for at, word in enumerate(words) if word.startswith("-")), len(words))]
    assert set(names) <= {ALL, *EXPERIMENTS}
    cells([words[at + 1] for at, word in enumerate(words) if word == "--sweep"], on_aws="outputs.json" in command)


@pytest.mark.parametrize("command", [command for command in OURS if command.startswith(("twin ", "lab drain-task"))])
def test_twin_takes_the_options(command: str) -> None:
    # The arguments are parsed before --help is obeyed; what comes after -- is another command.
    name, *words = shlex.split(command)
    words = words[: words.index("--")] if "--" in words else words
    main = {"twin": twin_cli.main, "lab": lab_cli.main}[name]
    assert in_process(name, main)(*words, "--help").code == 0


def test_options_that_are_not_there_are_noticed(twin: Command) -> None:
    assert twin("up", "--no-such-option", "--help").code == 2


@pytest.fixture
def twin() -> Command:
    return in_process("twin", twin_cli.main)


def mentioned(page: str) -> Iterator[tuple[str, ...]]:
    """Program, command and long options of what the text of *page* names between `backticks`."""
    blocks = re.sub(r"^```.*?^```", "", (PROJECT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^    .*$|'[^'\n]*'", "", blocks, flags=re.MULTILINE)
    for code in re.findall(r"`(?:[A-Z_]+=\S* )*((?:make|lab|twin|locust) [^`]+)`", text):
        program, *words = code.partition(" -- ")[0].split()
        names = [word for word in words[:1] if re.fullmatch(r"[a-z][a-z-]*", word)]
        yield (program, *names, *(option.strip("[],") for option in words if "--" in option))


MENTIONED = sorted({words for page in PAGES for words in mentioned(page) if len(words) > 1})


@pytest.mark.parametrize("words", [words for words in MENTIONED if words[0] in ("lab", "twin")], ids=" ".join)
def test_what_is_mentioned_is_there(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    program, *rest = words
    names = [word for word in rest if not word.startswith("-")]
    main = {"twin": twin_cli.main, "lab": lab_cli.main}[program]
    ran = in_process(program, main)(*names, "--help")
    assert ran.code == 0
    assert [word for word in rest if word.startswith("-") and word not in ran.out] == []


@pytest.mark.parametrize("target", sorted({words[1] for words in MENTIONED if words[0] == "make"}))
def test_targets_that_are_mentioned_are_there(target: str) -> None:
    assert re.search(rf"^{target}:.* ## ", (PROJECT / "Makefile").read_text(), re.MULTILINE) or target == "help"


def test_many_are_mentioned() -> None:
    assert {words[0] for words in MENTIONED} == {"make", "lab", "twin", "locust"}
    assert ("twin", "fault", "--for", "--undo") in MENTIONED


_LOCUST = """
import sys
from locust.argument_parser import get_parser
import locustfile
for line in sys.stdin:
    get_parser().parse_args(line.split())
"""


def test_locust_takes_the_options() -> None:
    given = [" ".join(shlex.split(command)[1:]) for command in OURS if command.startswith("locust ")]
    given += [f"{option} url-host" for words in MENTIONED if words[0] == "locust" for option in words[1:]]
    assert len(given) > 5
    done = subprocess.run(
        [sys.executable, "-c", _LOCUST], cwd=PROJECT, input="\n".join(given), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
