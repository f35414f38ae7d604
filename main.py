"""The CDKTF program of the stack: see constructs/serviceconnect/program.py."""

from __future__ import annotations

from pathlib import Path

from serviceconnect.program import synthesize

ROOT = Path(__file__).resolve().parent

if __name__ == "__main__":
    synthesize(ROOT)
