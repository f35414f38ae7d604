from __future__ import annotations

from datetime import timedelta, timezone

from load.groups.counts import Counts
from load.groups.evenness import EvenPart
from load.groups.report import with_section
from load.groups.table import cells, chance_sentence, clock, table


def counted(*hosts: str) -> Counts:
    """One request for each name."""
    counts = Counts()
    for host in hosts:
        counts.admit(host, "", 1000.0)
        counts.record([1000.0, host, 200 if host else 0, not host, 1.0])
    return counts


def test_hosts_are_compared_with_an_even_split_among_those_known() -> None:
    counts = counted("a", "a", "a", "b", "")
    even = counts.even_parts()
    assert [cells(row, even.get(row.group), "host", "zone")[:6] for row in counts.groups()] == [
        ("a", "", "3", "60.0%", "+50.0%", "0"),
        ("b", "", "1", "20.0%", "-50.0%", "0"),
        ("(no host known)", "", "1", "20.0%", "", "1"),
    ]


def test_the_table_is_cut_where_nobody_would_read_on() -> None:
    text = table(counted(*(f"host-{number}" for number in range(60))).groups(), {}, ["A note."], "host", "")
    assert "host-0" in text
    assert "... and 10 more, all in the CSV file" in text
    assert text.endswith("\n\nA note.")
    assert "zone" not in text


def test_table_and_report_say_what_chance_alone_does() -> None:
    counts = counted(*"aaab" * 25)
    rows, even = counts.groups(), counts.even_parts()
    said = (
        "By chance alone the furthest of these would be within 19.6% of its even part 19 times of 20 at any one look."
    )
    assert f"\n{said}\n\nA note." in table(rows, even, ["A note."], "host", "")
    assert f"</table>\n<p>{said}</p>\n<p>A note.</p>" in with_section("</body>", rows, even, ["A note."], "host", "")


def test_of_groups_that_were_there_for_different_times_chance_does_different_things() -> None:
    said = chance_sentence({"a": EvenPart(0.01, 0.031), "b": EvenPart(0.3, 0.4)})
    assert "19 times of 20 at any one look: each within 3.1% to 40.0% of it" in said


def test_where_no_group_is_beside_another_nothing_is_said_of_chance() -> None:
    counts = counted("a")
    assert "chance" not in table(counts.groups(), counts.even_parts(), [], "host", "")
    assert "chance" not in with_section("</body>", counts.groups(), counts.even_parts(), [], "host", "")


def test_a_run_without_requests_says_so() -> None:
    assert table([], {}, (), "host", "") == "No requests were made."


def test_a_time_is_the_readers_or_says_that_it_is_utc() -> None:
    assert clock(86_399.9) == "23:59:59 UTC"
    assert clock(86_399.9, timezone(timedelta(hours=5, minutes=30))) == "05:29:59"


def test_the_section_is_put_before_the_end_of_the_body() -> None:
    rows = counted("a").groups()
    page = with_section("<body>const end = '</body>'; <i></body>\n</html>", rows, {}, ["x < y"], "host", "")
    assert page.startswith("<body>const end = '</body>'; <i><style>")
    assert page.endswith("</section>\n</body>\n</html>")
    assert "<p>x &lt; y</p>" in page
