"""GitHub's workflows: no code of others but by commit, no more rights than are needed, no stored key of AWS."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # moto brings it; its stubs are not worth a package of their own

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def steps(workflow: Path) -> list[dict[str, Any]]:
    return [step for job in yaml.safe_load(workflow.read_text())["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(workflow: Path) -> None:
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert used
    assert [each for each in used if not re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", each)] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_read_and_no_more(workflow: Path) -> None:
    rights = yaml.safe_load(workflow.read_text())["permissions"]
    assert rights.pop("contents") == "read"
    assert rights in ({}, {"id-token": "write"})
    assert "secrets." not in workflow.read_text()


def test_ci_is_the_script_that_contributors_run() -> None:
    assert {"run": "bash .ci/run"} in steps(ROOT / ".github/workflows/ci.yml")


def test_issue_forms_are_yaml_with_a_body() -> None:
    forms = [path for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml"]
    assert forms
    for form in forms:
        assert all(field["attributes"]["label"] for field in yaml.safe_load(form.read_text())["body"])
