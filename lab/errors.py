"""The errors of the lab, each with the exit code that `lab` ends with.

LabError
├── BadInput             2   the user gave something that cannot be used
├── Missing              3   the environment lacks something; the message says what to install or start
│   └── NoAnswers        3   all of a load's requests failed before anything was done
└── AnswerIsNo           1   the answer is "no" and --check or --max-failed was asked for
"""

from __future__ import annotations


class LabError(Exception):
    """One clear sentence for the user: the value, the rule and the way out."""

    exit_code = 2


class BadInput(LabError):
    """The user gave something that cannot be used."""


class Missing(LabError):
    """The environment lacks something, and the message says what to do about it."""

    exit_code = 3


class NoAnswers(Missing):
    """All of a load's requests failed, so that there is nothing to measure."""


class AnswerIsNo(LabError):
    """The question asked with ``--check`` or ``--max-failed`` has the answer "no"."""

    exit_code = 1
