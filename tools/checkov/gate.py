"""Run checkov over the synthesized stack, the same with every optional part on, two services, and the Dockerfile.

    python tools/checkov/gate.py .venv-checkov/bin/checkov

checkov ends with 0 also if it parsed nothing, or could not parse, so this looks at its figures: exits with 1 if a check
failed, a file could not be parsed, or nothing passed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def synthesize(folder: str, program: str, settings: dict[str, str]) -> None:
    """Synthesize with *program* into *folder*, with *settings* and no others from the environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SC_", "AWS_ENDPOINT"))}
    subprocess.run(
        [sys.executable, ROOT / program],
        check=True,
        cwd=ROOT,
        env=environment | settings | {"CDKTF_OUTDIR": folder},
    )


def scan(checkov: str, *arguments: str) -> dict[str, Any]:
    """checkov's report on *arguments*."""
    command = [checkov, "--config-file", str(HERE / "checkov.yaml"), "--output", "json", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        sys.exit(f"checkov gave no report on {' '.join(arguments)}: {done.stdout.strip()[:500]}")
    return report


def verdict(name: str, report: dict[str, Any]) -> bool:
    """Print what checkov found in *name*, and say whether it is all well."""
    # Without any check, "results" is missing and the figures stand alone.
    summary = report.get("summary", report)
    passed, failed, unparsed = (summary.get(key, 0) for key in ("passed", "failed", "parsing_errors"))
    print(f"{name}: {passed} checks passed, {failed} failed, {unparsed} files not parsed")
    for check in report.get("results", {}).get("failed_checks", []):
        print(f"  {check['check_id']} {check['check_name']}: {check['resource']}")
    return bool(passed and not failed and not unparsed)


def main() -> int:
    """Scan everything; the exit code."""
    checkov = str(Path(sys.argv[1]).absolute())
    good = []
    variants = {
        "the stack": ("main.py", {}),
        "with everything on": ("main.py", json.loads((HERE / "everything.json").read_text())),
        "two services": ("examples/services/main.py", {}),
    }
    for name, (program, settings) in variants.items():
        with tempfile.TemporaryDirectory() as folder:
            synthesize(folder, program, settings)
            good.append(verdict(name, scan(checkov, "--directory", folder, "--framework", "terraform_json")))
    good.append(verdict("the Dockerfile", scan(checkov, "--file", "Dockerfile", "--framework", "dockerfile")))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
