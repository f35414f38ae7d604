"""tools/audit/audit.py: what pip-audit and npm print becomes an answer, and what was not looked up is never passed."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tomllib
from types import ModuleType

import pytest

from tests.twin.running import PROJECT


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    specification = importlib.util.spec_from_file_location("audit", PROJECT / "tools/audit/audit.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["audit"] = module  # its dataclass looks itself up there
    specification.loader.exec_module(module)
    return module


def test_a_vulnerable_package_is_named_with_the_version_that_mends_it(audit: ModuleType) -> None:
    known = {"id": "PYSEC-2026-1", "fix_versions": ["1.1", "2.0"]}
    printed = json.dumps(
        {
            "dependencies": [
                {"name": "a", "version": "1.0", "vulns": [known]},
                {"name": "b", "version": "2", "vulns": []},
            ]
        }
    )
    answer = audit.of_pip_audit(printed, "", 2)
    assert answer.vulnerable == ("a 1.0: PYSEC-2026-1, fixed in 1.1, 2.0",)
    assert answer.missed == 0


def test_what_pip_audit_passes_because_it_is_not_found_is_not_looked_up(audit: ModuleType) -> None:
    printed = json.dumps(
        {"dependencies": [{"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "?"}]}
    )
    answer = audit.of_pip_audit(printed, "", 2)
    assert (answer.missed, answer.unknown) == (1, "?")


def test_no_answer_is_not_looked_up(audit: ModuleType) -> None:
    answer = audit.of_pip_audit("", "a\nConnection refused\n", 2)
    assert (answer.missed, answer.unknown) == (2, "Connection refused")
    error = "npm error audit endpoint returned an error\nnpm error A complete log of this run can be found in: b"
    assert audit.of_npm('{"message": "405"}', error, 2).unknown == "npm error audit endpoint returned an error"


def test_npms_answer(audit: ModuleType) -> None:
    via = [{"title": "Prototype pollution"}, "c"]
    printed = json.dumps({"vulnerabilities": {"b": {"range": "<2", "severity": "high", "via": via}}})
    assert audit.of_npm(printed, "", 2).vulnerable == ("b <2: Prototype pollution, through c (high)",)
    assert audit.of_npm('{"vulnerabilities": {}}', "", 2).vulnerable == ()


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([((), 0), ((), 0)], 0),
        ([((), 2), ((), 0)], 3),
        ([(("a",), 1), ((), 0)], 1),
    ],
)
def test_the_exit_code(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch, answers: list[tuple[tuple[str, ...], int]], code: int
) -> None:
    python, node = (audit.Answer("a.lock", 2, vulnerable, missed, "offline") for vulnerable, missed in answers)
    monkeypatch.setattr(audit, "python", lambda pip_audit: python)
    monkeypatch.setattr(audit, "node", lambda: node)
    monkeypatch.setattr(sys, "argv", ["audit.py", "pip-audit"])
    assert audit.main() == code


def test_npm_lists_the_parts_of_a_package_with_the_projects_version() -> None:
    command = ["npm", "sbom", "--package-lock-only", "--sbom-format", "cyclonedx"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    listed = json.loads(done.stdout)
    assert listed["bomFormat"] == "CycloneDX"
    assert len(listed["components"]) > 400
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    assert listed["metadata"]["component"]["version"] == version
