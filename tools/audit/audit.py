"""Ask whether a package that Pipfile.lock or package-lock.json names has a known vulnerability.

    python tools/audit/audit.py .venv-audit/bin/pip-audit

Exits with 1 if one has, and with 3 if one could not be looked up: both databases are on the internet, and pip-audit by
itself passes what it did not find there.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tools.install import locked  # noqa: E402  # found by the line above

_LISTS = ("default", "tools", "aws", "develop")


@dataclass(frozen=True)
class Answer:
    """What a database says of *packages* packages; `unknown`: why *missed* of them could not be looked up."""

    where: str
    packages: int
    vulnerable: tuple[str, ...]
    missed: int = 0
    unknown: str = ""


def python(pip_audit: str) -> Answer:
    """Of Pipfile.lock, by PyPI's database."""
    requirements = locked(json.loads((ROOT / "Pipfile.lock").read_text()), _LISTS)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(requirements.values()) + "\n")
        file.flush()
        command = [pip_audit, "--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off"]
        done = subprocess.run([*command, "--requirement", file.name], capture_output=True, text=True)
    return of_pip_audit(done.stdout, done.stderr, len(requirements))


def of_pip_audit(printed: str, error: str, packages: int) -> Answer:
    """Its JSON, or what it said in its place."""
    try:
        found = json.loads(printed)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Answer("Pipfile.lock", packages, (), packages, _last(error) or "pip-audit printed nothing")
    vulnerable = tuple(
        f"{each['name']} {each['version']}: {known['id']}, fixed in {', '.join(known['fix_versions']) or 'no version'}"
        for each in found
        for known in each.get("vulns", [])
    )
    skipped = [each for each in found if "skip_reason" in each]
    return Answer("Pipfile.lock", packages, vulnerable, len(skipped), skipped[0]["skip_reason"] if skipped else "")


def node() -> Answer:
    """Of package-lock.json, by npm's registry."""
    lock = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    command = ["npm", "audit", "--package-lock-only", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return of_npm(done.stdout, done.stderr, len(lock) - 1)


def of_npm(printed: str, error: str, packages: int) -> Answer:
    """Its JSON, or what it said in its place."""
    try:
        found: dict[str, Any] = json.loads(printed)
        vulnerabilities = found["vulnerabilities"]
    except (ValueError, KeyError, TypeError):
        return Answer("package-lock.json", packages, (), packages, _last(error) or "npm printed no answer")
    vulnerable = tuple(
        f"{name} {each['range']}: {', '.join(_titles(each))} ({each['severity']})"
        for name, each in vulnerabilities.items()
    )
    return Answer("package-lock.json", packages, vulnerable)


def _titles(vulnerability: dict[str, Any]) -> list[str]:
    return [via["title"] if isinstance(via, dict) else f"through {via}" for via in vulnerability["via"]]


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip() and "complete log" not in line]
    return lines[-1].strip() if lines else ""


def main() -> int:
    """Print both answers; the exit code."""
    answers = [python(sys.argv[1]), node()]
    for answer in answers:
        looked_up = answer.packages - answer.missed
        if looked_up:
            print(f"{answer.where}: {len(answer.vulnerable)} of {looked_up} packages have a known vulnerability.")
        for line in answer.vulnerable:
            print(f"  {line}")
        if answer.missed:
            print(f"{answer.where}: {answer.missed} packages were not looked up ({answer.unknown}).", file=sys.stderr)
    if any(answer.missed for answer in answers):
        print(
            "The databases are those of pypi.org and registry.npmjs.org: run it where both can be reached.",
            file=sys.stderr,
        )
    if any(answer.vulnerable for answer in answers):
        return 1
    return 3 if any(answer.missed for answer in answers) else 0


if __name__ == "__main__":
    sys.exit(main())
