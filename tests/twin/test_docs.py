"""docs/twin.md has every parameter with its default and every fault, fidelity.md the answers of the gateway's own."""

from __future__ import annotations

import re
from dataclasses import fields

from tests.twin.running import PROJECT
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
    documented = Parameters.__doc__ or ""
    for name, reason in re.findall(r"^\| `([a-z-]+)` \| [\w.-]+ \| (.*) \|$", TEXT, re.MULTILINE):
        described = documented.partition(f"{name.replace('-', '_')}:")[2]
        described = re.split(r"\n        \w+: |\n\n", described)[0]
        assert ("assumed" in reason) is ("ssumed" in described), name


def test_faults() -> None:
    assert re.findall(r"^\| `([a-z-]+)(?: [^`]*)?` \| .* \| .* \|$", TEXT.partition("## Faults")[2], re.MULTILINE) == [
        *KINDS
    ]


def test_answers() -> None:
    for status, message in listener._MESSAGES.items():
        assert re.search(rf'{status} `{{"message":"{message}"}}`', FIDELITY), status
