"""`make soak`: random faults of every kind on a real twin under load, with checks all along.

    python -m tests.soak [--minutes 10] [--seed N] [--json FILE]

Rounds follow each other. In each some deeds (faults, kills of the twin's own processes, stops, deployments, scalings,
changes of parameters, of Cloud Map and of target groups) are done under load; then all is waited for, and checked, in
quiet. The seed decides the deeds and their times. Exit code 1: something was not as it must be.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.soak.rounds import Soak
from twin.machine.addresses import free_port

PROJECT = Path(__file__).resolve().parents[2]
# Two ways to the tasks, and nothing that lasts long: what a fault does is over soon after it.
SETTINGS = {
    "SC_COMPARISON": "true",
    "SC_REQUEST_TIMEOUT": "5",
    "SC_DRAIN_SECONDS": "1",
    "SC_HEALTH_CHECK_INTERVAL": "5",
}
# Nothing hides a loss: no connect is tried again.
OPTIONS = ["--discovery-ttl", "0.5", "--connect-retries", "0", "--running-grace", "0", "--proxy-drain", "0.5"]


def main() -> int:
    """Start a twin whose command is this program again (`--state`); its exit code."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--state", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.state:
        return Soak(options.state, options.seed).run(options.minutes * 60, options.json)
    print(f"soak: seed {options.seed}, {options.minutes:g} minutes", flush=True)
    with tempfile.TemporaryDirectory(prefix="soak") as folder:
        stack, state = Path(folder) / "stack", Path(folder) / "state"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SC_")}
        synthesis = environment | SETTINGS | {"CDKTF_OUTDIR": str(stack)}
        subprocess.run([sys.executable, "main.py"], cwd=PROJECT, env=synthesis, check=True)
        again = [sys.executable, "-m", "tests.soak", "--state", str(state), "--seed", str(options.seed)]
        again += ["--minutes", str(options.minutes), *(["--json", str(options.json.resolve())] if options.json else [])]
        ports = ["--port", str(free_port()), "--aws-port", str(free_port())]
        twin = [sys.executable, "-c", "from twin.cli import main; main()", "up", "--with-parent"]
        twin += ["--synth", str(stack)]
        return subprocess.run([*twin, "--state", str(state), *ports, *OPTIONS, "--", *again], cwd=PROJECT).returncode


if __name__ == "__main__":
    sys.exit(main())
