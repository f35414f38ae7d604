"""What all commands of `lab` share: how typer shows them, --json, and where their pages go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lab.report.document import Document

PLAIN: dict[str, Any] = {
    "pretty_exceptions_enable": False, "rich_markup_mode": None,
    "context_settings": {"max_content_width": 120},
}  # fmt: skip

Json = Annotated[bool, typer.Option("--json", help="Print JSON: docs/reference/files.md has its keys.")]


def print_page(document: Document, *, as_json: bool) -> None:
    """On standard output, as JSON or for a terminal."""
    from lab.report import terminal
    from lab.report.document import as_json as json_of

    if as_json:
        print(json_of(document))
    else:
        terminal.write(document, terminal.new_console())
