"""docs/twin.md has every parameter and fault; in the reference each row of what AWS does has a source or is assumed."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields

import pytest
import typer

from tests.twin.running import PROJECT
from twin.cli import app
from twin.faults import KINDS
from twin.front.http_api import listener
from twin.parameters import Parameters

TEXT = (PROJECT / "docs/twin.md").read_text()
FIDELITY = (PROJECT / "docs/reference/fidelity.md").read_text()


def test_parameters_and_their_defaults() -> None:
    told = dict(re.findall(r"^\| `([a-z-]+)` \| ([\w.-]+) \|", TEXT, re.MULTILINE))

    def text(value: object) -> str:
        return f"{value:g}" if isinstance(value, float) else str(value).lower()

    assert told == {field.name.replace("_", "-"): text(field.default) for field in fields(Parameters)}


def test_assumed_here_is_assumed_there() -> None:
    documented = inspect.getdoc(Parameters) or ""  # whose indentation is the same whatever Python's version
    for name, reason in re.findall(r"^\| `([a-z-]+)` \| [\w.-]+ \| (.*) \|$", TEXT, re.MULTILINE):
        described = documented.partition(f"{name.replace('-', '_')}:")[2]
        described = re.split(r"\n    \w+: |\n\n", described)[0]
        assert ("assumed" in reason) is ("ssumed" in described), name


def test_faults() -> None:
    assert re.findall(r"^\| `([a-z-]+)(?: [^`]*)?` \| .* \| .* \|$", TEXT.partition("## Faults")[2], re.MULTILINE) == [
        *KINDS
    ]


def test_answers() -> None:
    for status, message in listener._MESSAGES.items():
        assert re.search(rf'{status} `{{"message":"{message}"}}`', FIDELITY), status


PAGES = {name: (PROJECT / f"docs/reference/{name}.md").read_text() for name in ("ecs", "fidelity")}
A_SOURCE = re.compile(r"assumed|\]\(https?://|guide|API reference|agent|roadmap|`[A-Za-z]+`|the same", re.IGNORECASE)
# Tables of what was done here, not of what AWS does.
OF_OURS = ("| | |", "| what | client and version | result | by |", "| variant | changed in place under load |")


def tables(text: str) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """What stands before each table, its header and its rows."""
    for match in re.finditer(r"(?<=\n)(\|.*)\n\|[-|]+\n((?:\|.*\n)+)", text):
        before = text[: match.start()].rstrip().rpartition("\n\n")[2]
        if match[1] not in OF_OURS:
            yield before, cells(match[1]), [cells(line) for line in match[2].splitlines()]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


@pytest.mark.parametrize("page", PAGES)
def test_each_row_of_what_aws_does_has_a_source_or_is_assumed(page: str) -> None:
    found = list(tables(PAGES[page]))
    lacking = []
    for before, header, rows in found:
        assert {len(row) for row in rows} == {len(header)}, header
        if header[-1] == "source":
            lacking += [row[0] for row in rows if not A_SOURCE.search(row[-1])]
        elif not re.search(r"Sources are|[Ss]ource is|Source:", before):
            lacking += [row[0] for row in rows if not re.search(r"assumed|\]\(https?://", " ".join(row))]
    assert found
    assert lacking == []


# Where the code says that something is assumed, the page has it, in these words.
ASSUMED = {
    "aws/alarms.py": "CloudWatch goes back further",
    "aws/ecs/context.py": "another account or kind is refused, and not taken for missing, is assumed",
    "aws/ecs/controller.py": "a rollback has those of the deployment that it repeats (*assumed*)",
    "aws/ecs/limits.py": "how the errors are worded is assumed",
    "aws/ecs/scheduler.py": "that tasks which still stop hold it up: assumed",
    "aws/ecs/service_connect.py": "Its own aliases are among them (*assumed*)",
    "aws/ecs/service_registries.py": "registered whatever DNS records the Cloud Map service has (assumed)",
    "aws/ecs/tasks.py": "the answer has a failure RESOURCE:ENI (assumed)",
    "aws/moto/cloud_map.py": "an instance's status is UNKNOWN (*assumed*), and all are returned",
    "aws/moto/domain_names.py": "the rest of its text is *assumed*",
    "aws/moto/scalable_targets.py": "What is none of these is refused with ValidationException; its words are assumed",
    "aws/moto/scaling_alarms.py": "the numbers of minutes, and the dimensions of ALBRequestCountPerTarget: assumed",
    "aws/moto/scaling.py": "the words of those without an example: assumed",
    "aws/moto/openapi.py": "An operation without an integration makes no route (*assumed*)",
    "aws/moto/route_keys.py": "other names below a common path are accepted (*assumed*)",
    "aws/moto/public_parameters.py": "the same in every Region (*assumed*)",
    "aws/scaling.py": "that the newest point counts, in both directions alike: assumed",
    "aws/schedules.py": "and is first due one interval later. `6L` is the last Friday of a month. | assumed",
    "tasks/traffic.py": "`ServiceName` beside a `TargetDiscoveryName` is the caller's",
    "tasks/registrations.py": "an instance is UNHEALTHY until the container is HEALTHY (assumed)",
    "tasks/egress.py": "of which nothing has reached the task (*assumed*)",
    "front/alb/listeners.py": "repeated headers as one value with commas: *assumed*",
    "front/http_api/gateway.py": "the last instances are used on (*assumed*)",
    "front/http_api/keys.py": "then after twice as long, up to 30 (*assumed*)",
    "front/http_api/listener.py": "request meets limits, throttling, authorization and CORS is *assumed*",
    "front/http_api/model.py": "then a method before ANY: *assumed*",
    "front/http_api/reading.py": "takes the account's value, 10,000 or 5,000 (*assumed*)",
    "front/http_api/routes.py": "segment by segment from the left",
}


def test_what_the_code_assumes_is_in_the_pages() -> None:
    text = " ".join(" ".join(PAGES.values()).split())
    missing = {file for file, words in ASSUMED.items() if " ".join(words.split()) not in text}
    twin = PROJECT / "twin"
    saying = {
        str(path.relative_to(twin))
        for path in twin.rglob("*.py")
        if re.search(r"\b[Aa]ssumed\b(?!.role)", path.read_text().replace("assumed_role", ""))
    }
    assert missing == set()
    assert saying - {"__init__.py", "cli.py", "parameters.py", "aws/moto/access_keys.py"} == ASSUMED.keys()


def test_help_marks_the_parameters_that_the_page_has_as_assumed() -> None:
    marked = re.findall(r"^\| `([a-z-]+)` \| [^|]+ \| \*assumed\*", TEXT, re.MULTILINE)
    options = typer.main.get_command(app).commands["up"].params  # type: ignore[attr-defined]
    helped = {option.name.replace("_", "-") for option in options if (option.help or "").endswith("Assumed.")}

    assert len(marked) > 10
    assert helped == set(marked)
