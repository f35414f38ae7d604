"""Observations, as if they were read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.records.observations import Observations


def counted(counts: Mapping[str, int], **more: Any) -> Observations:
    """Requests by host, from a list with *more* than these."""
    return Observations("counts", "counts", len(counts), counts, **more)
