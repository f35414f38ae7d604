"""What is measured, by name: each gives one figure or several that come from the same turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.figure import Figure
from benchmarks.figures import endpoint, gateway, lab, make, plugin, service, start

__all__ = ["BENCHMARKS", "SLOW"]

BENCHMARKS: dict[str, Callable[[], Iterator[Figure]]] = {
    "gateway": gateway.gateway,
    "request": gateway.request,
    "service": service.service,
    "plugin": plugin.plugin,
    "groups": plugin.groups,
    "start": start.start,
    "tasks": start.tasks,
    "replacement": start.replacement,
    "distribution": lab.distribution,
    "report": lab.report,
    "synth": make.synth,
    "run": make.run,
    "signatures": endpoint.signatures,
    "tests": make.tests,
}

SLOW = ("tests",)
"""Those that take minutes by themselves, and are measured by name only."""
