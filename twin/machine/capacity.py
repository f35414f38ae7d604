"""What this machine can run at most."""

from __future__ import annotations

import os

__all__ = ["most_tasks"]

_MEMORY_OF_A_TASK = 64 * 1024 * 1024  # bytes: an Envoy and a small application


def most_tasks() -> int:
    """How many tasks of a service the machine has memory for, all of which it would have to itself."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(memory // _MEMORY_OF_A_TASK, 1)
