"""Which of Locust's names the plugin needs: no private one, and these that its documentation does not name."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

GROUPS = Path(__file__).parents[3] / "load" / "groups"

IMPORTED = {
    "locust.events",
    "locust.argument_parser.LocustArgumentParser",
    "locust.env.Environment",
    "locust.event.EventHook",
    "locust.exception.RPCError",
    "locust.html.get_html_report",
    "locust.html.process_html_filename",
    "locust.runners.MasterRunner",
    "locust.runners.STATE_MISSING",
    "locust.runners.WORKER_REPORT_INTERVAL",
    "locust.runners.WorkerRunner",
    "locust.web.WebUI",
}

# https://docs.locust.io/en/stable/api.html
DOCUMENTED = {
    "locust.events",
    "locust.env.Environment",
    "locust.event.EventHook",
    "locust.runners.MasterRunner",
    "locust.runners.WorkerRunner",
    "locust.web.WebUI",
}

# Undocumented, all without an underscore. A process of its own: Locust patches the standard library.
UNDOCUMENTED = """
from locust.env import Environment
from locust.exception import RPCError
from locust.html import get_html_report, process_html_filename
from locust.runners import STATE_MISSING, WORKER_REPORT_INTERVAL
from locust.runners import MasterRunner, WorkerNode, WorkerNodes
environment = Environment()
runner = environment.create_local_runner()
assert WORKER_REPORT_INTERVAL == 3.0
assert isinstance(WorkerNodes.all, property)
assert {"id", "state"} <= vars(WorkerNode("a")).keys()
assert runner.user_greenlets is not None and runner.user_count == 0
assert environment.stop_timeout == 0 and environment.stats.total.num_requests == 0
"""

# The words that name Locust's own pages and files; "logs", as of the others, only where they end like a noun of ours.
TAKEN = r"""
import re
from locust.env import Environment
from locust.html import DEFAULT_BUILD_PATH
from pathlib import Path
from load.groups.plugin import _TAKEN
environment = Environment()
environment.create_local_runner()
ui = environment.create_web_ui("127.0.0.1", 0, delayed_start=True)
names = {str(rule).split("/")[1] for rule in ui.app.url_map.iter_rules()} - {"static"}
for script in Path(DEFAULT_BUILD_PATH, "assets").glob("*.js"):
    names |= set(re.findall(r"component:\w+,key:.(\w+).,title:", script.read_text()))
names |= {"stats", "failures", "exceptions"}  # of --csv
assert {name for name in names if name.endswith("s")} <= _TAKEN, names
assert {"stats", "charts", "tasks", "logs", "workers"} <= names, names
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


@pytest.mark.parametrize("program", [UNDOCUMENTED, TAKEN])
def test_the_undocumented_ones_are_there(program: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("arguments", ["noun='task'", "noun='Host'", "detail=('zone', 'body')", "'body'"])
def test_what_cannot_be_tracked_is_refused_at_once(arguments: str) -> None:
    program = f"from load.groups import track; track({arguments})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1].startswith("ValueError: "), done.stderr


def test_the_readme_lists_what_is_undocumented() -> None:
    readme = (GROUPS / "README.md").read_text()
    for name in (*IMPORTED - DOCUMENTED, "WorkerNodes", "WorkerNode", "Runner.user_greenlets"):
        assert f"`{name.removeprefix('locust.')}`" in readme, name
