"""The numbers of every page, from the recorded folders, without their words: for each page a name and plain values.

Whoever moves code mends the imports here; whoever changes a number records it anew and says why in the commit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from lab.costs.prices import load_prices
from lab.costs.scenario import Scenario, scenario_of_run
from lab.costs.study import Study as CostStudy
from lab.distribution.gateway import Gateway, Policy
from lab.distribution.judgement import Judgement, analyse, judge
from lab.distribution.policies import likeness, simulation
from lab.experiments.calibration import calibrate
from lab.experiments.compare import compare, compare_ways
from lab.experiments.figures import figures
from lab.experiments.findings import Findings
from lab.experiments.study import read_measured, read_study, rows
from lab.records.answers import read
from lab.records.observations import Observations
from load.results import read_run

HERE = Path(__file__).parent
RUN, STUDY, SWEEP = HERE / "run", HERE / "study", HERE / "sweep"


def _judged(judgement: Judgement | None) -> Any:
    if judgement is None:
        return None
    names = (
        "requests", "unknown_host", "left_out", "hosts", "chi_square", "degrees_of_freedom", "p_value", "p_value_lower",
        "dispersion", "max_deviation", "furthest_host", "cramers_v",
    )  # fmt: skip
    return {name: getattr(judgement, name) for name in names}


def _found(findings: Findings) -> dict[str, Any]:
    return {
        "figures": figures(findings),
        "by_status": {str(status): number for status, number in findings.failures_by_status.items()},
        "replacements": list(findings.replacements),
        "duration": findings.duration,
        "flawed": bool(findings.flaw),
        "periods": {
            period.name: {
                "seconds": period.last_second - period.first_second + 1,
                "counts": dict(period.counts),
                "failures": period.failures,
                "p99_ms": period.p99_ms,
                "judgement": _judged(period.judgement),
            }
            for period in findings.periods
        },
    }


def run() -> Any:
    return {arm: _found(findings) for arm, findings in read_measured(RUN).findings.items()}


def _matrix(folder: Path) -> Any:
    lines = {}
    for row in rows(read_study(folder).measured):
        setting = [f"{name} {value:g}" for name, value in row.parameters.items()]
        values = {name: [s.low, s.median, s.high, s.count] for name, s in row.figures.items()}
        lines[", ".join([row.experiment.name, row.arm, *setting])] = values
    return lines


def study() -> Any:
    return _matrix(STUDY)


def sweep() -> Any:
    return _matrix(SWEEP)


def distribution() -> Any:
    found = {}
    for name, folder in (("run", RUN), ("study/baseline-1", STUDY / "baseline-1")):
        analysis = analyse(read(str(folder)))
        found[name] = {
            "judgement": _judged(analysis.judgement),
            "shares": {share.host: asdict(share) for share in analysis.shares},
            "longer_run": analysis.longer_run and asdict(analysis.longer_run),
        }
    counts = {"a": 1183, "b": 1115, "c": 1253}
    return {**found, "first run": {"judgement": _judged(judge(Observations("counts", "counts", 3, counts)))}}


def simulate() -> Any:
    found = {}
    for policy in Policy:
        result = simulation(Gateway(policy, 3, 4), 2000, np.random.default_rng(1))
        found[policy.value] = {"run": _judged(result.run), "skew": asdict(result.skew)}
    return found


def like() -> Any:
    result = likeness(analyse(read(str(STUDY / "baseline-1"))), np.random.default_rng(1))
    candidates = {f"{each.policy.value} {each.parameter}": each.p_value for each in result.candidates}
    return {"measured": asdict(result.measured), "p_values": candidates}


def costs() -> Any:
    prices = load_prices("eu-west-2")
    found = {}
    measured = scenario_of_run(read_run(STUDY / "baseline-1"), Scenario(), Decimal(1000))
    for name, scenario in (("default", Scenario()), ("measured", measured)):
        study = CostStudy(scenario, prices)
        found[name] = {
            "bills": {way.name: bill.total for way, bill in study.bills.items()},
            "lines": {f"{way.name} {line.item}": line.usd for way, bill in study.bills.items() for line in bill.lines},
            "break_even": [[each.against.name, each.at, each.usd] for each in study.rates],
        }
    return found


def compared() -> Any:
    def values(found: Any) -> Any:
        return {
            ", ".join((each.experiment, *dict.fromkeys(each.ways))): [each.first, each.second, each.p_value]
            for each in found
        }

    whole = read_study(STUDY)
    part = replace(whole, measured=whole.measured[2:])
    return {"ways": values(compare_ways(whole)), "part": values(compare(whole, part))}


def calibrated() -> Any:
    found = calibrate(read_study(STUDY).measured, np.random.default_rng(1))
    return {
        "windows": [asdict(window) for window in found.leaving.windows],
        "lifetime": found.leaving.lifetime and asdict(found.leaving.lifetime),
        "assumptions": [asdict(assumption) for assumption in found.leaving.assumptions],
        "balancing": {policy: list(parameters) for policy, parameters in found.balancing.items()},
        "requests": found.requests,
    }


PAGES: Mapping[str, Callable[[], Any]] = {
    "run": run,
    "study": study,
    "sweep": sweep,
    "distribution": distribution,
    "simulate": simulate,
    "like": like,
    "costs": costs,
    "compare": compared,
    "calibrate": calibrated,
}


def plain(values: Any) -> Any:
    """As JSON has it, decimals as numbers."""
    return json.loads(json.dumps(values, default=float))
