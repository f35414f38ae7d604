"""README and docs: their links lead somewhere, and docs/README.md names each page."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.experiments.catalogue import EXPERIMENTS
from tests.twin.running import PROJECT

PAGES = sorted(
    PROJECT / name
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
)
_LINK = re.compile(r'(?:\]\(|src="|srcset=")(?!https?:)([^)"# ]*)(?:#([^)" ]+))?')


def text_of(page: Path) -> str:
    """Without blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.*)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_links_lead_somewhere(page: Path) -> None:
    lost = []
    for name, anchor in _LINK.findall(text_of(page)):
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append((name, anchor))
    assert lost == []


def test_anchors_are_found() -> None:
    assert {"serve-on-after-sigterm", "what-a-service-must-do"} <= anchors(PROJECT / "docs/own-service.md")


def test_the_index_names_every_page() -> None:
    index = PROJECT / "docs/README.md"
    named = {(index.parent / name).resolve() for name, _ in _LINK.findall(index.read_text())}
    pages = {page for page in PAGES if PROJECT / "docs" in page.parents and page != index}
    assert {page for page in pages if not named & {page, page.parent}} == set()


def test_experiments_are_all_named() -> None:
    text = (PROJECT / "docs/experiments.md").read_text().partition("## What can happen")[2].partition("\n    ")[0]
    assert set(re.findall(r"`([a-z-]+)`", text)) == set(EXPERIMENTS)


_MOST_WORDS = 38


def sentences(text: str) -> Iterator[str]:
    """Of paragraphs and lists; tables and blocks of code have none."""
    text = re.sub(r"^(\||    ).*$|<[^>]*>|\*\*", "", text, flags=re.MULTILINE)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )|\n(?=#)", text):
        yield from re.split(r"(?<=[.!?:])\s+(?=[A-Z`\"(\[\d])", " ".join(paragraph.split()))


READ = [page for page in PAGES if page.name != "CHANGELOG.md" and page.parent.name != "decisions"]


@pytest.mark.parametrize("page", READ, ids=lambda page: str(page.relative_to(PROJECT)))
def test_sentences_are_short(page: Path) -> None:
    """Thirty words are enough for nearly all of them."""
    long = [sentence for sentence in sentences(text_of(page)) if len(re.findall(r"\w\S*", sentence)) > _MOST_WORDS]
    assert long == []


def test_long_sentences_are_found() -> None:
    assert list(sentences("One. Two\nlines\n\n- item\n\n| a table. |\n")) == ["One.", "Two lines", "- item", ""]
