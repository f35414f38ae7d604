"""docs/services.md has what the price list gives."""

from __future__ import annotations

import json
from pathlib import Path

from tests.twin.running import PROJECT

HOURS = 730
TEXT = (PROJECT / "docs/services.md").read_text().partition("## What a further service costs")[2]


def test_figures_of_a_further_service() -> None:
    prices = json.loads(Path(PROJECT / "lab/costs/prices.json").read_text())["regions"]["eu-west-2"]

    def price(name: str) -> float:
        return float(prices[name]["tiers"][0]["usd"])

    def task(cpu: float, gb: float) -> float:
        return HOURS * (cpu * price("fargate_x86_vcpu") + gb * price("fargate_x86_memory"))

    crossing = 0.5 * 2 * price("cross_az") * 25 * 3600 * HOURS * 11 * 1024 / 1024**3
    for figure in (2 * task(0.25, 0.5), task(0.25, 64 / 1024), task(0.5, 1) - task(0.25, 0.5), crossing):
        assert f"{figure:.2f}" in TEXT
