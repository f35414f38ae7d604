"""Text of tasks, stacks and calls, as a terminal may have it: none of it tells the terminal what to do."""

from __future__ import annotations

import unicodedata

__all__ = ["printable"]

# Control characters, which a terminal obeys; format characters, which turn or hide text; surrogates, which no output
# takes; separators of lines and paragraphs.
_ESCAPED = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def printable(text: str) -> str:
    r"""*text* on one line, with what is no visible character escaped, such as `\x1b`."""
    return "".join(c.encode("unicode_escape").decode() if unicodedata.category(c) in _ESCAPED else c for c in text)
