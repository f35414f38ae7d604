"""Which of Locust's names the plugin needs: no private one, and these that its documentation does not name."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

GROUPS = Path(__file__).parents[3] / "load" / "groups"

IMPORTED = {
    "locust.events",
    "locust.argument_parser.LocustArgumentParser",
    "locust.env.Environment",
    "locust.event.EventHook",
    "locust.html.get_html_report",
    "locust.html.process_html_filename",
    "locust.runners.MasterRunner",
    "locust.runners.STATE_MISSING",
    "locust.runners.WORKER_REPORT_INTERVAL",
    "locust.runners.WorkerRunner",
    "locust.web.WebUI",
}

# Undocumented, all without an underscore. A process of its own: Locust patches the standard library.
UNDOCUMENTED = """
from locust.env import Environment
from locust.event import Events
from locust.html import get_html_report, process_html_filename
from locust.runners import STATE_MISSING, WORKER_REPORT_INTERVAL, MasterRunner, WorkerNode, WorkerNodes
environment = Environment()
runner = environment.create_local_runner()
assert WORKER_REPORT_INTERVAL == 3.0
assert isinstance(WorkerNodes.all, property)
assert {"id", "state"} <= vars(WorkerNode("a")).keys()
assert runner.user_greenlets is not None and runner.user_count == 0
assert environment.stop_timeout == 0 and environment.stats.total.num_requests == 0
assert environment.events.heartbeat_sent
"""


def test_what_is_imported_of_locust_is_listed_here_and_no_private_name_is_used() -> None:
    imported = set()
    private = set()
    for file in GROUPS.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "locust":
                imported |= {f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.endswith("__"):
                owner = node.value.id if isinstance(node.value, ast.Name) else ""
                # Of a NamedTuple, `_fields` is public.
                if owner != "self" and node.attr != "_fields":
                    private.add(f"{file.name}: {ast.unparse(node)}")
    assert imported == IMPORTED
    assert private == set()


def test_the_undocumented_ones_are_there() -> None:
    done = subprocess.run([sys.executable, "-c", UNDOCUMENTED], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
