"""What is said about the counts, and the section for Locust's own HTML report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from html import escape

from load.groups.evenness import EvenPart
from load.groups.rows import GroupRow
from load.groups.table import cells, chance_sentence, clock, columns
from load.groups.workers import LostWorker

__all__ = ["FOLDED", "lost_sentence", "reset_sentence", "unfinished_sentence", "ungrouped_sentence", "with_section"]

FOLDED = "There were more groups than are counted each by itself; the row (other) has the rest."

_STYLE = """
.groups { font: 14px/1.5 Roboto, Helvetica, Arial, sans-serif; max-width: 1200px; margin: 0 auto;
  padding: 0 24px 48px; color: #212121; overflow-x: auto; }
.groups h2 { font-weight: 400; font-size: 34px; line-height: 1.2; margin: 0 0 8px; }
.groups table { border-collapse: collapse; width: 100%; }
.groups th, .groups td { padding: 10px 16px; text-align: right; border-bottom: 1px solid #8885;
  font-variant-numeric: tabular-nums; }
.groups th { font-weight: 500; }
.groups .text { text-align: left; min-width: 12em; overflow-wrap: anywhere; }
.groups[data-theme=dark] { color: #fff; }
"""


def lost_sentence(worker: LostWorker, zone: tzinfo | None = None) -> str:
    """How much is in no count because of a worker, as far as it is known."""
    if worker.last_heard is None:
        return (
            f"{worker.requests:,} requests of worker {worker.worker} are in no count: its reports did not arrive, or "
            "it runs without this version of load.groups."
        )
    return (
        f"Worker {worker.worker} stopped reporting at {clock(worker.last_report, zone)}. By "
        f"{clock(worker.last_heard, zone)} it had counted {worker.requests:,} requests more, which are in no count; "
        "how many came after that is not known."
    )


def reset_sentence(last: float, zone: tzinfo | None = None) -> str:
    """From when on the counts are, where the statistics were reset; `last` in seconds since the Unix epoch."""
    return f"The statistics were reset at {clock(last, zone)}: all counts are since then."


def unfinished_sentence(unfinished: int) -> str:
    """How many requests the end of the load left without an answer or a failure."""
    requests = "1 request was" if unfinished == 1 else f"{unfinished:,} requests were"
    return f"{requests} unfinished: sent, but the load ended before an answer or a failure. No other count has them."


def ungrouped_sentence(noun: str, by: str, headers: Sequence[str]) -> str:
    """That no answer had a group, and what to do; `by` is the key's text, `headers` are those of one answer."""
    if not by:
        return f"No answer had a {noun}: see what the function that was given to track makes of one."
    kind, _, name = by.partition(":")
    if kind == "header":
        came = f"One had {', '.join(headers)}" if headers else "One that was looked at had no header"
        return (
            f"No answer had the header of --group-by {by}. {came}: name one that comes, or let the service send {name}."
        )
    see = "whether answers are JSON with this path" if kind == "json" else "what it makes of an answer"
    return f"No answer had a {noun} by --group-by {by}: see {see}."


def with_section(
    page: str,
    rows: Sequence[GroupRow],
    even: Mapping[str, EvenPart],
    notes: Sequence[str],
    noun: str,
    detail_noun: str,
    theme: str = "light",
) -> str:
    """Locust's report with the section put before the end of its body; `even` is by group."""
    texts = 2 if detail_noun else 1

    def line(of: Sequence[str], tag: str) -> str:
        marked = (
            f"<{tag}{' class=text' if number < texts else ''}>{escape(cell)}</{tag}>" for number, cell in enumerate(of)
        )
        return f"<tr>{''.join(marked)}</tr>\n"

    body = "".join(line(cells(row, even.get(row.group), noun, detail_noun), "td") for row in rows)
    section = (
        f"<style>{_STYLE}</style>\n"
        f'<section id="{noun}s" class="groups" data-theme="{escape(theme)}"><h2>{noun.capitalize()}s</h2>\n'
        f"<table><thead>{line(columns(noun, detail_noun), 'th')}</thead>\n<tbody>{body}</tbody></table>\n"
        + "".join(f"<p>{escape(note)}</p>\n" for note in filter(None, [chance_sentence(even), *notes]))
        + "</section>\n"
    )
    before, end, after = page.rpartition("</body>")
    return before + section + end + after
