"""What the words and numbers of a page mean, a sentence each: it should need no manual."""

from __future__ import annotations

from lab.report import html

__all__ = ["how_to_read"]

_TERMS = (
    ("failed", "The request got no answer, or one with a status of 400 or above."),
    ("p50, p95, p99", "Half, 95 % and 99 % of the requests were answered within so many milliseconds."),
    ("share", "Of all requests; by period and in the pictures, of those whose host is known."),
    (
        "before, during, after",
        "Before the event; from it until the hosts and the failures are what they are in the end; from then on.",
    ),
    (
        "random, p",
        "p is how often hosts would differ by as much (or by as little, where that is said) if each request went to a "
        "host at random; below 0.001 a split is called uneven, so of a thousand random splits one is.",
    ),
    (
        "chi-square, degrees of freedom",
        "How far the hosts' requests are from an even split, squared and added up: random choice makes it about as "
        "large as the degrees of freedom, which are the number of hosts less one.",
    ),
    (
        "80 % power",
        'With so many requests four of five runs would show such a host; "these show only one that is 20 % off" means '
        "that a host nearer to its share than that may well have escaped this run.",
    ),
    (
        "95 % interval",
        "Where the host's share in the long run is, with 95 % confidence that this holds for all hosts of the picture.",
    ),
    (
        "95 % of chance",
        "The grey area: random choice keeps all hosts inside of it at any one number of requests in 95 of 100 runs.",
    ),
)


def how_to_read() -> str:
    """The section."""
    return html.section("How to read this", [html.definitions(_TERMS)])
