"""One Document, three writers."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from lab.errors import BadInput
from lab.report.document import Document, Heading, Picture, Sentence, Table, as_json
from lab.report.html import render, write_report
from lab.report.pictures import new_figure, save
from lab.report.terminal import write

SVG = '<svg width="5"><g id="a"/><use href="#a"/><path d="" clip-path="url(#b)" style="fill: #aabbcc"/></svg>'
DOCUMENT = Document(
    "3 of 5 <requests> failed",
    [
        Sentence("It took 5 ms on ip-10-0-0-4: run `lab run`."),
        Sentence("A detail.", "facts", detail=True),
        Picture(
            "A picture",
            lambda widths: [SVG.replace("5", f"{width:g}") for width in widths],
            alternative="What it shows",
        ),
        Heading("Hosts"),
        Table(("host", "", "requests", "strip"), [["a", "new", "5", "-o-"]], only_terminal=(3,), links=["one"]),
        Heading("More", folded=True, detail=True, anchor="one"),
        Sentence("Under a detail."),
        Heading("Less", level=3),
        Table(("x", "y"), [["1", "2"]], only_page=(1,)),
        Heading("End"),
        Sentence(""),
    ],
    {"requests": 5},
)


def printed(width: int, document: Document = DOCUMENT) -> str:
    text = io.StringIO()
    write(document, Console(file=text, width=width, highlight=False, markup=False))
    return text.getvalue()


def test_the_terminal_has_all_but_details_and_pictures() -> None:
    assert [line.split() for line in printed(200).splitlines()] == [
        ["3", "of", "5", "<requests>", "failed"],
        ["It", "took", "5", "ms", "on", "ip-10-0-0-4:", "run", "`lab", "run`."],
        [],
        ["Hosts"],
        ["host", "requests", "strip"],
        ["a", "new", "5", "-o-"],
        [],
        ["End"],
    ]


def test_where_it_is_no_terminal_no_line_is_wrapped() -> None:
    long = Document("word " * 100, [Sentence("more " * 100)])

    assert [len(line.split()) for line in printed(40, long).splitlines()] == [100, 100]


def test_no_cell_is_cut_on_a_narrow_terminal() -> None:
    name = "a-very-long-hostname-that-is-wider-than-the-terminal"
    text = printed(30, Document("", [Table(("host", "requests"), [[name, "12,345"]])]))

    assert name in "".join(line.split()[0] for line in text.splitlines()[1:])
    assert "12,345" in text


def test_heads_are_folded_before_cells_are() -> None:
    head, cells = ("host", "before (15 s)", "after (12 s)"), ["ip-10-0-16-4", "33.3 %", "34.1 %"]
    wide, narrow = (printed(width, Document("", [Table(head, [cells])])).splitlines() for width in (60, 30))

    assert [line.split() for line in wide] == [" ".join(head).split(), " ".join(cells).split()]
    assert [line.split() for line in narrow] == [
        ["before", "after"], ["host", "(15", "s)", "(12", "s)"], " ".join(cells).split()
    ]  # fmt: skip


def test_the_page_draws_for_wide_and_narrow_screens() -> None:
    page = render(DOCUMENT)

    assert page.count('role="img" aria-label="What it shows"') == 2
    assert 'id="narrow-a"' in page
    assert 'href="#narrow-a"' in page
    assert "url(#narrow-b)" in page
    assert page.count("fill: #aabbcc") == 2
    assert "<title>3 of 5 &lt;requests&gt; failed</title>" in page
    assert "5&nbsp;ms" in page
    assert "<code>lab run</code>" in page
    assert "<span class=host>ip-10-0-0-4</span>" in page
    assert "-o-" not in page
    assert '<a href="#one">a</a>' in page
    assert page.count("<section") == page.count("</section>") == 4
    assert page.count("<details>") == 1
    assert page.rindex("</details>") > page.index(">y</th>")


def test_json_is_the_values_and_no_number_is_none() -> None:
    assert json.loads(as_json(DOCUMENT)) == {"requests": 5}
    with pytest.raises(ValueError, match="not JSON compliant"):
        as_json(Document("", [], {"p": float("nan")}))


def test_a_report_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"report\.html cannot be written .*: free some space and run `lab report"):
        write_report(DOCUMENT, tmp_path / "no-such-folder")


def on_a_terminal(columns: int, *command: str, **environment: str) -> str:
    """What *command* writes to a terminal of its own."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        env = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm-256color", **environment}
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=env)
        os.close(theirs)
        written = b""
        with contextlib.suppress(OSError):  # EIO: nobody has the other end open any more
            while block := terminal.read(4096):
                written += block
        assert process.wait(10) == 0, written
    return written.decode()


def test_on_a_terminal_lines_end_at_its_edge_and_no_color_has_none() -> None:
    lab = str(Path(sys.executable).with_name("lab"))
    written = on_a_terminal(80, lab, "costs", "--all", "--requests-per-second", "25", NO_COLOR="1")
    colours = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])[;\dm]")
    assert colours.search("\x1b[1;31m")
    assert not colours.search(written)
    lines = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", written).split("\r\n")
    assert len(lines) > 20
    assert max(map(len, lines)) <= 80
    names = {line.split()[0] for line in lines if line.startswith(("public-alb-", "service-connect-"))}
    assert {"public-alb-public-tasks", "service-connect-public-tasks", "service-connect-with-share"} <= names


@pytest.mark.parametrize("name", ["report.html", ".report.html.new", "costs-bars.svg", ".costs-bars.svg.new"])
def test_no_link_in_the_folder_is_followed(tmp_path: Path, name: str) -> None:
    """Whose the folder is, nobody asks: it may be somebody else's run."""
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "run"
    folder.mkdir()
    elsewhere.write_text("the user's")
    (folder / name).symlink_to(elsewhere)

    write_report(DOCUMENT, folder)
    save(new_figure(1, 1), folder / "costs-bars.svg")

    assert elsewhere.read_text() == "the user's"
    assert {path.name for path in folder.iterdir() if not path.is_symlink()} == {"report.html", "costs-bars.svg"}
    assert len(list(folder.iterdir())) == 2
