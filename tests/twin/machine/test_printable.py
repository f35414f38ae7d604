from __future__ import annotations

import pytest

from lab.printable import printable as lab_printable
from twin.machine.printable import printable

TEXTS = {
    "orders-1 is UNHEALTHY: 5\xa0% of größe 順, \\": "orders-1 is UNHEALTHY: 5\xa0% of größe 順, \\",
    "\x1b]0;PWN\x07\x1b[31m": r"\x1b]0;PWN\x07\x1b[31m",
    "\x9b31m\x7f\0": r"\x9b31m\x7f\x00",
    "a\nb\r\tc\u2028\u2029": r"a\nb\r\tc\u2028\u2029",
    "\u202egnp\u200b\ufeff\U000e0041": r"\u202egnp\u200b\ufeff\U000e0041",
    "\ud800": r"\ud800",
}


@pytest.mark.parametrize("text", TEXTS)
def test_what_a_terminal_would_obey_or_hide_is_escaped(text: str) -> None:
    assert printable(text) == lab_printable(text) == TEXTS[text]
    assert printable(TEXTS[text]) == TEXTS[text]
