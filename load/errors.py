"""The errors of the load.

LoadError
├── BadOption            an option of the load, or the outputs file it names, cannot be used
├── ResultsUnwritable    the folder of a run cannot be made, or a file in it cannot be written
└── ResultsMalformed     a file of a run is absent or does not say what it should
"""

from __future__ import annotations

__all__ = ["BadOption", "LoadError", "ResultsMalformed", "ResultsUnwritable"]


class LoadError(Exception):
    """One clear sentence for the user: the value, the rule and the way out."""

    exit_code = 2


class BadOption(LoadError):
    """An option of the load, or the outputs file it names, cannot be used."""


class ResultsUnwritable(LoadError):
    """The folder of a run cannot be made, or a file in it cannot be written."""


class ResultsMalformed(LoadError):
    """A file of a run is absent or does not say what it should."""
