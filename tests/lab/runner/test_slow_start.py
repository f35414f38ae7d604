"""`lab run slow-start` on two twins: requests fail while the application starts, and none does with the hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.experiments.findings import find
from load.results import Run, is_failure, read_run
from tests.command import Command
from tests.twin.running import STACK, RunningTwin, TwinFactory

# From when tasks stop a request that needs a new connection may fail, which is rare and not the start's doing
# (docs/findings.md, `rollouts.csv`): their proxies refuse it, and the one retry may meet another of them.
_ANY_ROLLOUT = 2


def slow_start(lab: Command, twin: RunningTwin, results: Path) -> tuple[Run, str]:
    where = ("--target", str(twin.state / "outputs.json"), "--results", str(results))
    done = lab("run", "slow-start", *where, "--users", "4", "--rate", "20", "--shortest", "--no-wait")
    assert done.code == 0, done.out + done.err
    (folder,) = results.iterdir()
    return read_run(folder), done.out


def _failures(run: Run, since: float) -> int:
    return sum(row.requests for row in run.timeline if is_failure(row.status) and row.second >= since)


@pytest.mark.timeout(240)
def test_requests_fail_until_the_new_tasks_listen(lab: Command, start_twin: TwinFactory, tmp_path: Path) -> None:
    # The old tasks serve on for as long as a front end may know them: what fails is the start's doing alone.
    run, printed = slow_start(lab, start_twin(synth=STACK), tmp_path)
    findings = find(run)

    assert findings.flaw is None, printed
    assert findings.failures > 20  # a second's worth, where some ten seconds are half of them
    assert set(findings.failures_by_status) == {503}
    assert findings.fault is not None
    assert findings.times.replace is not None
    # As fine as whole seconds: once the last of the new tasks has answered, what fails is what any rollout may lose.
    assert _failures(run, findings.fault.at + findings.times.replace + 1) <= _ANY_ROLLOUT, printed
    assert (
        f"{findings.failures:,} of {findings.requests:,} requests failed during a rollout of a slow starter" in printed
    )


@pytest.mark.timeout(240)
def test_none_fails_where_a_task_is_registered_when_it_is_healthy(
    lab: Command, start_twin: TwinFactory, stack_with: Callable[[str], Path], tmp_path: Path
) -> None:
    run, printed = slow_start(lab, start_twin(synth=stack_with("registered-when-healthy")), tmp_path)
    findings = find(run)

    assert findings.flaw is None, printed
    assert findings.failures <= _ANY_ROLLOUT, printed
    assert findings.times.register is not None
    assert findings.failure_window is None or findings.failure_window[0] > findings.times.register - 1, printed
    assert len(findings.replacements) == 3
    assert findings.unserved == ()
