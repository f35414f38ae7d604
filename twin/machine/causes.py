"""Why a program has ended, as far as its log says: servers write more after the line with the reason."""

from __future__ import annotations

import re
from pathlib import Path

from twin.machine.files import last_lines

__all__ = ["cause", "hint"]

_LINES = 50  # at the end of a log, in which the reason is looked for

# What looks like the reason, the surest first. "not found" as programs write it, not "404 Not Found" of an access log.
_LOOKS = (
    re.compile(
        r"^(?:[\w.]+\.)?\w*(?:Error|Exception|Interrupt)(?: \[\w+\])?(?:: |$)"  # of Python and of Node
        r"|^(?:[a-z_]\w*\.)+[A-Z]\w*: "  # such as django.core.exceptions.ImproperlyConfigured
        r"|^panic: |\[Errno \d+\]|[Aa]ddress already in use|[Nn]o such file|[Pp]ermission denied|: not found$"
    ),
    re.compile(r"(?i)\b(error|exception|fatal|failed|cannot|can't|could not|denied|refused|in use|not found)\b"),
)
_OF_SYNTAX = re.compile(r"(?:SyntaxError|IndentationError|TabError): ")  # Python has where it is lines before
_PLACE = re.compile(r'\s*File "(.+)", line (\d+)')
_BESIDE = re.compile(
    r"\bHTTP/\d"  # of a request
    r"|\] (?:Worker exiting|Worker \(pid:\d+\) exited|Shutting down: |Reason: )|HaltServer"  # what follows in gunicorn
)

_HINTS = (
    (
        re.compile(r"(?i)address already in use|\bEADDRINUSE\b"),
        "All tasks share this machine, so listen on {host}, not on 0.0.0.0 or 127.0.0.1.",
    ),
    (
        re.compile(
            r"^KeyError: '[A-Z][A-Z0-9_]*'$|(?i:environment variable|\benvvar\b)"
            r"|ValidationError: \d+ validation errors? for \w*(?:Settings|Config)$"  # of pydantic
        ),
        "A task gets nothing of your shell's environment: give it by `--command 'env NAME=... program'`, "
        "or `environment` of a twin.toml.",
    ),
)


def cause(log: Path) -> str:
    """The line that looks most like the reason, the last of its kind; else the last line. Empty: there is no text."""
    lines = [line.rstrip() for line in last_lines(log)[-_LINES:]]
    ours = [line for line in reversed(lines) if not _BESIDE.search(line)]
    found = next((line for look in _LOOKS for line in ours if look.search(line)), lines[-1])
    if _OF_SYNTAX.match(found):
        places = (_PLACE.match(line) for line in reversed(lines[: lines.index(found)]))
        found += next((f" ({Path(place[1]).name}, line {place[2]})" for place in places if place), "")
    return found


def hint(line: str) -> str:
    """The way out where *line* is a reason that a program has on the twin alone; else empty."""
    return next((way_out for known, way_out in _HINTS if known.search(line)), "")
