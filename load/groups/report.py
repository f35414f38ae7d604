"""The section "Hostnames" for Locust's own HTML report."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from html import escape

from load.groups.evenness import EvenPart
from load.groups.rows import HostRow
from load.groups.table import COLUMNS, cells
from load.groups.workers import LostWorker

__all__ = ["FOLDED", "lost_sentence", "reset_sentence", "unfinished_sentence", "with_section"]

FOLDED = "There were more hosts than are counted each by itself; the row (other) has the rest."

_STYLE = """
#hostnames { font: 14px/1.5 Roboto, Helvetica, Arial, sans-serif; max-width: 1200px; margin: 0 auto;
  padding: 0 24px 48px; color: #212121; }
#hostnames h2 { font-weight: 400; font-size: 34px; line-height: 1.2; margin: 0 0 8px; }
#hostnames table { border-collapse: collapse; width: 100%; }
#hostnames th, #hostnames td { padding: 10px 16px; text-align: right; border-bottom: 1px solid #8885;
  font-variant-numeric: tabular-nums; }
#hostnames th { font-weight: 500; }
#hostnames th:nth-child(-n+2), #hostnames td:nth-child(-n+2) { text-align: left; }
#hostnames[data-theme=dark] { color: #fff; }
"""


def lost_sentence(worker: LostWorker, interval: float) -> str:
    """How much at most a worker that died took with it; `interval` is the time between two reports, in seconds."""
    size = f", about {worker.requests:,} requests at its rate" if worker.requests else ""
    return (
        f"Worker {worker.worker} stopped reporting: what it did after its last report is in no count, "
        f"at most {interval:g} s of its load{size}."
    )


def reset_sentence(last: float) -> str:
    """From when on the counts are, where the statistics were reset; `last` in seconds since the Unix epoch."""
    return f"The statistics were reset at {time.strftime('%H:%M:%SZ', time.gmtime(last))}: all counts are since then."


def unfinished_sentence(unfinished: int) -> str:
    """How many requests the end of the load left without an answer or a failure."""
    requests = "1 request was" if unfinished == 1 else f"{unfinished:,} requests were"
    return f"{requests} unfinished: sent, but the load ended before an answer or a failure. No other count has them."


def with_section(
    report: str,
    rows: Sequence[HostRow],
    even: Mapping[str, EvenPart],
    notes: Sequence[str] = (),
    theme: str = "light",
) -> str:
    """Locust's report with the section put before the end of its body; `even` is by hostname."""
    head = "".join(f"<th>{escape(title)}</th>" for title in COLUMNS)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells(row, even.get(row.hostname))) + "</tr>\n"
        for row in rows
    )
    section = (
        f"<style>{_STYLE}</style>\n"
        f'<section id="hostnames" data-theme="{escape(theme)}"><h2>Hostnames</h2>\n'
        f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>\n"
        + "".join(f"<p>{escape(note)}</p>\n" for note in notes)
        + "</section>\n"
    )
    before, end, after = report.rpartition("</body>")
    return before + section + end + after
