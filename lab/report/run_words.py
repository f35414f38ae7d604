"""What the lab says of one run: each sentence once, from values. A sentence claims no more than its data show."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import unquote

from lab.distribution.presence import SETTLE
from lab.experiments.catalogue import CLIENT_PROXY, DIRECT, GATEWAY, LOAD_BALANCER, UPSTREAM
from lab.experiments.findings import Cause, Findings, Flaw
from lab.experiments.study import Ending, Measured
from lab.records.run import record_of
from lab.report.words import THROUGH, capital, joined, seconds, short, uncapital
from load.rate import missed_sentence
from load.results import Run

_LEFT = {
    DIRECT: "Cloud Map",
    LOAD_BALANCER: "the target group",
    CLIENT_PROXY: "Cloud Map",
}  # where each way looks for tasks

# What a gateway or a proxy answers by itself. A framework may answer so too, without its host's name.
_OF_A_GATEWAY = {429, 502, 503, 504}

ON_THE_TWIN = "Measured on the twin, an emulation on one machine, in which what AWS does not document is assumed."

BESIDE = (
    "Both ways lead to the same tasks here, and a service with a load balancer keeps each task that leaves for the "
    "target group's deregistration delay before it is stopped. That serves the other way too: what clients see without "
    "any load balancer is measured on a stack that has none."
)
"""What must be known to read both ways side by side."""

KEPT = (
    "The tasks are in a target group too, though the requests passed it by: ECS keeps each one that leaves for its "
    "deregistration delay, so this is no measurement of going without a load balancer."
)
"""What must be known to read a way that passes by a load balancer without load."""

NOT_BESIDE = (
    "Of events in which ECS may stop tasks that serve, on the stack with a load balancer, only what passed through it "
    "is here. What passed by it is no measurement of going without: its tasks are kept for the target group's "
    "deregistration delay too."
)
"""What must be known to read it beside a stack that has none."""


def beside(runs: Sequence[Measured]) -> str:
    """What must be known to read the ways of *runs* side by side; "" where none has a load balancer."""
    with_one = [LOAD_BALANCER in measured.runs for measured in runs]
    return BESIDE if all(with_one) else NOT_BESIDE if any(with_one) else ""


def known_beside(measured: Measured) -> str:
    """What must be known of a load balancer to read a run; "" where there is nothing."""
    if LOAD_BALANCER in measured.runs:
        return BESIDE
    findings = measured.findings[DIRECT]
    is_kept = measured.has_load_balancer and findings.arm == DIRECT and findings.experiment.keeps_tasks
    return KEPT if is_kept else ""


def answer(findings: Mapping[str, Findings]) -> str:
    """What clients saw, in one sentence, from the findings of each way."""
    direct = findings[DIRECT]
    if not direct.requests:
        return "No request was answered or failed: nothing was measured."
    flawed = next((each for each in findings.values() if each.flaw), None)
    if flawed is not None:
        until = "" if flawed.flaw in _OF_ANOTHER else " until then"
        return f"{capital(flaw_of(flawed))}, so this run {_no_finding(flawed)}: {_failed(direct).lower()}{until}."
    text = f"{_at_least(direct)} {direct.experiment.when}{_before(direct)}"
    text += f", {THROUGH[LOAD_BALANCER]}" if direct.arm == LOAD_BALANCER else ""
    for arm, way in {LOAD_BALANCER: "through a load balancer", CLIENT_PROXY: THROUGH[CLIENT_PROXY]}.items():
        if beside := findings.get(arm):
            text += f"; {way} {uncapital(_at_least(beside))}{_before(beside)}"
    if direct.unended:
        who = "the task" if len(direct.unended) == 1 else f"{len(direct.unended)} of the tasks"
        text += f"; the load ended before {who} did"
    return f"{text}."


_FLAWS = {
    Flaw.NO_EVENT: "the load ended before {event}",
    Flaw.OLD_TASKS_STAYED: "the load ended before the tasks that had to go were stopped",
    Flaw.NEW_TASKS_MISSING: "the load ended before new tasks ran",
    Flaw.NOT_ROLLED_BACK: "the load ended before the revision was rolled back",
    Flaw.NOT_SLOW: "the new tasks answered before START_SECONDS were over, a variable that this service does not read",
    Flaw.FAULT_GOES_ON: "the load ended before the fault did",
    Flaw.UNHEALTHY: "{unhealthy} failed health checks meanwhile, for which ECS replaces tasks",
    Flaw.DISTURBED: "a task stopped or came before {event}, so what followed has two causes",
    Flaw.ACCIDENT: "the twin itself lost a part meanwhile",
    Flaw.NO_END: "the load did not come to its end",
    Flaw.NO_REQUESTS: "no request was answered or failed",
}


_CUT = {Flaw.INTERRUPTED: "was interrupted", Flaw.ENDED_EARLY: "ended"}

_OF_ANOTHER = {Flaw.NOT_SLOW, Flaw.UNHEALTHY, Flaw.DISTURBED, Flaw.ACCIDENT}
"""Of what such a run shows nobody knows whether the event caused it; of others, what would have come after its end."""


def _no_finding(findings: Findings) -> str:
    event = findings.experiment.event
    if findings.fault is None:
        if findings.flaw in _OF_ANOTHER:
            return "is no baseline"
        return "says nothing of it" if event else "is no whole one"
    return f"is no measurement of {event}" if findings.flaw in _OF_ANOTHER else f"does not show all of {event}"


def flaw_of(findings: Findings) -> str:
    """Why a run says nothing of its experiment, such as `the load ended before the stop`; "" where it does."""
    if findings.flaw in _CUT:
        return f"the load {_CUT[findings.flaw]} after {findings.duration:.0f} of {findings.planned or 0:.0f} s"
    if not findings.flaw:
        return ""
    several = f"{len(findings.unhealthy)} tasks" if len(findings.unhealthy) > 1 else "a task"
    return _FLAWS[findings.flaw].format(event=findings.experiment.event, unhealthy=several)


def _failed(findings: Findings) -> str:
    failed = f"{findings.failures:,}" if findings.failures else "None"
    unknown = f" and {findings.unfinished:,} more had no end yet" if findings.unfinished else ""
    return f"{failed} of {findings.requests:,} requests failed{unknown}"


def _at_least(findings: Findings) -> str:
    """Such as `At least 817 of 2,000 requests failed`, where some did in the last seconds of the load."""
    return f"At least {_failed(findings)}" if findings.fails_to_the_end else _failed(findings)


def _before(findings: Findings) -> str:
    """Such as `, 300 of them before the stop`, which the event has not caused by itself; "" where there are none."""
    event = findings.experiment.event
    told = f", {failed:,} of them before {event}" if (failed := failed_before(findings)) else ""
    if findings.failed_since_move:
        told += f", {findings.failed_since_move:,} of them once ECS stopped a task to even out the zones"
    return told


def failed_before(findings: Findings) -> int:
    """Requests that failed before the event, if there was one."""
    before = findings.period("before") if findings.fault else None
    return before.failures if before is not None else 0


def failures(findings: Findings) -> str:
    """Why and when requests failed, such as `All 81 with 503 from the gateway or a proxy, 0.0 s to 1.7 s after ...`."""
    if not findings.failures:
        return ""
    causes = [f"{count:,} {_cause(cause, findings)}" for cause, count in findings.failures_by_cause.items()]
    words = f"Failed: {'all ' if len(causes) == 1 and findings.failures > 1 else ''}{joined(causes)}"
    if findings.fault and findings.failure_window:
        first, last = findings.failure_window
        those = "those after it " if failed_before(findings) else ""
        words += f", {those}from {first:.1f} s to {last:.1f} s after {findings.experiment.event} (to the second)"
    return f"{words}; that is {seconds(findings.failed_seconds)} s of traffic." if findings.rate else f"{words}."


def _cause(cause: Cause, findings: Findings) -> str:
    if not cause.status:
        return "without an answer"
    if cause.from_host:
        return f"with {cause.status} from a task"
    # A service may name its host in no answer, or in no error.
    if not any(host.hostname for host in findings.hosts) or cause.status not in _OF_A_GATEWAY:
        return f"with {cause.status} in answers that name no host"
    other = "the calling service, the gateway or a proxy" if findings.arm == CLIENT_PROXY else "the gateway or a proxy"
    return f"with {cause.status} from {other}"


def hint(measured: Measured) -> str:
    """What to do about requests that failed because the service listens late, or does not serve on; "" elsewhere."""
    if measured.findings[DIRECT].flaw in (Flaw.UNHEALTHY, Flaw.DISTURBED):  # the cause may be another
        return ""
    return " ".join(filter(None, (_listens_late(measured.findings[DIRECT]), _ends_at_once(measured), _luck(measured))))


def _luck(measured: Measured) -> str:
    """What to know of a planned stop that lost nothing, and might have; else ""."""
    if not (found := spared(measured)):
        return ""
    went_on, used_for = found
    # A service that serves on already is to do so for longer.
    longer = f"To lose none, let it serve on for longer than {used_for:g} s after SIGTERM."
    return (
        f"This may be luck: a task ended {went_on:.1f} s after it had left Cloud Map, and the gateway uses its list "
        f"for {used_for:g} s. At another age of the list such a stop may lose requests: `--repeat 6` shows "
        f"how many. {longer if went_on >= 1 else SERVE_ON}"
    )


def spared(measured: Measured) -> tuple[float, float] | None:
    """Of a planned stop that lost nothing, though at another age of the gateway's list it would have.

    Seconds for which a task went on after it had left Cloud Map, and for which the gateway uses its list; else None.
    """
    findings, assumed = measured.findings[DIRECT], measured.record.experiment.assumed or {}
    used_for, went_on = assumed.get("discovery_ttl"), findings.went_on
    if findings.arm != DIRECT or findings.failures or went_on is None or not findings.experiment.planned:
        return None
    if not isinstance(used_for, float | int):
        return None
    return (went_on, used_for) if went_on < used_for else None


def _listens_late(findings: Findings) -> str:
    if not findings.too_soon:
        return ""
    return (
        f"{findings.too_soon:,} failed while new tasks were in Cloud Map and had answered nothing yet, and no stopped "
        "one was in the gateway's list. To register a task once it is HEALTHY: `register_when_healthy`, or "
        "`twin up --command ... --health ... --register-when-healthy`."
    )


def _ends_at_once(measured: Measured) -> str:
    """Where a planned stop lost requests and the service did not serve on, what to read; "" elsewhere.

    Whether it did is measured: a service of one's own may be given DRAIN_SECONDS, and not read it. Who swept it knows.
    """
    findings, stop = measured.findings[DIRECT], measured.findings[DIRECT].stop
    chosen = "drain_seconds" in measured.parameters and not (measured.drain and measured.ending is Ending.AT_ONCE)
    if chosen or stop is None or not findings.refused_from_stop:
        return ""
    though = f", though drain_seconds is {measured.drain:g}" if measured.ending is Ending.AT_ONCE else ""
    return (
        f"503 from the stop on: the service answered for {stop.served_on:.1f} s after the stop, and no longer{though}. "
        f"{SERVE_ON}"
    )


HEED = (
    "It has to serve on and then to end: 'Serve on after SIGTERM' in docs/own-service.md of the project serviceconnect."
)

SERVE_ON = (
    "To serve on: `examples/serve_on.sh` of the project serviceconnect, and 'Serve on after SIGTERM' in its "
    "docs/own-service.md."
)


def times(findings: Findings) -> list[str]:
    """What happened when after the event, a sentence each; none without an event."""
    if findings.fault is None:
        return []
    sentences = list(filter(None, (age(findings), story(findings), rebalancing(findings))))
    if unnamed(findings):
        return sentences
    even = findings.even_again
    if even is not None and even.seconds is not None:
        fine = f" (give or take {even.resolution_s:.1f} s)" if even.resolution_s else ""
        failed = "no request failed and " if findings.failure_window else ""
        since = f"{even.seconds:.1f} s after {findings.experiment.event}{fine}"
        sentences.append(
            f"Even again {since}: from then on {failed}no unevenness is shown; of a host half off its share it "
            "would be, four times of five."
        )
    elif even is not None:
        sentences.append(_NOT_EVEN[even.reason])
    if findings.unserved:
        names = short(findings.unserved)
        sentences.append(f"{joined([names[name] for name in findings.unserved])} came and answered nothing.")
    if findings.unhealthy_answers:
        sentences.append(f"{findings.unhealthy_answers:,} requests were answered by tasks that never got healthy.")
    if findings.unended and findings.after is not None:
        names = short([*(host.hostname for host in findings.hosts), *findings.unended])
        sentences.append(
            f"When the load ended, {math.floor(findings.after)} s after {findings.experiment.event}, "
            f"{joined([names[name] for name in findings.unended])} still ran: what clients see of the end of it is not "
            f"measured.{_kills(findings)}"
        )
    if findings.killed:
        names = short([*(host.hostname for host in findings.hosts), *(each.hostname for each in findings.killed)])
        hosts = joined(list(dict.fromkeys(names[each.hostname] for each in findings.killed)))
        failed = f"{findings.failed_at_kill:,}" if findings.failed_at_kill else "no"
        plural = "s" if findings.failed_at_kill > 1 else ""
        sentences.append(
            f"{hosts} did not end on SIGTERM: killed (SIGKILL, exit code 137) "
            f"{max(each.after for each in findings.killed):.1f} s after the stop began, for stopTimeout is "
            f"{findings.task.stop_timeout:g} s; {failed} request{plural} failed within a second of it. {HEED}"
        )
    return sentences


def _kills(findings: Findings) -> str:
    """Of tasks that ran when the load ended: when ECS kills them, and which load lasts until then; or ""."""
    by, it = findings.killed_by, "it" if len(findings.unended) == 1 else "them"
    if by is None:
        return ""
    task, though = findings.task, ""
    if "drain_seconds" not in task.model_fields_set:
        though = f" For how long {it} to serve on is not known: no task definition with DRAIN_SECONDS says it."
    elif (findings.after or 0) > task.drain_seconds + SETTLE:
        though = f" SIGTERM had not ended {it} by then, and drain_seconds is {task.drain_seconds:g}."
    # What happens does so half-way, after 60 s at most.
    until = by + _SEEN
    longer = 10 * math.ceil(min(2 * until, until + 60) / 10)
    way = f"; `--duration {longer}` lasts until then" if longer > (findings.planned or 0) else ""
    return f"{though} ECS sends {it} SIGKILL {task.stop_timeout:g} s after SIGTERM (stopTimeout){way}."


_SEEN = 8.0  # seconds of load after the end of a task, in which it is seen


_NOT_EVEN = {
    "uneven": "The split had not evened out when the load ended.",
    "failures": "A request failed in the last 3 s of the load: when the last one failed is not known.",
    "other-hosts": "A task that was stopped still answered when the load ended.",
    "too-few": "Too little load was left to say whether the split evened out.",
}


def unnamed(findings: Findings) -> bool:
    """Whether there were answers, and none said which host gave it."""
    return {host.hostname for host in findings.hosts} == {""} and findings.requests > findings.failures


def load_notes(findings: Findings) -> list[str]:
    """What was amiss with the load itself, or with the twin."""
    lost, missing = len(findings.lost_workers), sum(worker.requests for worker in findings.lost_workers)
    refused, missed = throttled(findings), ""
    if findings.missed_rate:
        asked, due = findings.asked_rate or 0, findings.due or 0
        missed = missed_sentence(findings.sent, due, asked, findings.duration, bool(lost))
    amiss = {
        f"{refused:,} failed because the stage admits no more (429), whatever happened to the tasks: give a smaller "
        "--rate, or set throttle_rate and throttle_burst.": refused,
        "No answer named its host in `x-hostname`, so how the requests were spread is not known: let the service send "
        "it, or start the twin with --name-tasks.": unnamed(findings),
        f"{findings.unfinished or 0:,} more requests were under way when the load ended: what became of them is not "
        "known.": findings.unfinished,
        missed: findings.missed_rate,
        f"{lost} of Locust's processes did not report all that they sent: {missing:,} requests, as far as it is known, "
        "and those that they had under way, are in no count.": lost,
        "Locust's statistics were reset during the run: only what came after is counted.": findings.resets,
        f"UNHEALTHY by their health checks, and not by what was done here: {_unhealthy(findings)}. A service is "
        "measured once its health checks pass.": findings.unhealthy,
    }
    sentences = [sentence for sentence, is_so in amiss.items() if is_so]
    return sentences + [f"The twin had an accident of its own: {accident.what}." for accident in findings.accidents]


def _unhealthy(findings: Findings) -> str:
    names = short([*(host.hostname for host in findings.hosts), *findings.unhealthy])
    return joined([names[name] for name in findings.unhealthy])


def unfinished(run: Run) -> str:
    """Of a run that goes on, or was killed: its files are of different moments, and what was due is not known."""
    counted, seen = (sum(row.requests for row in rows) for rows in (run.hosts, run.timeline))
    return (
        "The run is not complete: its load goes on, or was killed. What is said here is of the "
        f"{counted:,} requests of hostnames.csv; timeline.csv has {seen:,}."
    )


def age(findings: Findings) -> str:
    """How old the gateway's list of tasks was at the event, where that is known; else ""."""
    fault = findings.fault
    if findings.arm != DIRECT or fault is None or not fault.discovery_age_s:  # 0: no list is kept
        return ""
    event, seconds_old = findings.experiment.event, fault.discovery_age_s
    return f"At {event} the gateway's list of tasks was {seconds_old:.1f} s old, by chance."


def story(findings: Findings) -> str:
    """With the hosts' names where one task went and one came: out of Cloud Map, first answer, last answer; or ""."""
    fault, at, steps = findings.fault, findings.times, []
    if fault is None:
        return ""
    # A task that was stopped may have answered nothing, or nothing with its name.
    names = short([*(host.hostname for host in findings.hosts), *fault.hostnames])
    old = [names.get(name, name) for name in fault.hostnames]
    new = [names.get(name, name) for name in findings.replacements if name not in findings.unserved]
    went = old[0] if len(old) == 1 else "the last of the stopped tasks"
    if at.detect is not None and at.detect >= 0.05:
        steps.append(f"ECS acted after {at.detect:.1f} s")
    if at.deregister is not None:
        steps.append(f"{went} was out of {_LEFT[findings.arm]} after {at.deregister:.1f} s")
    if at.replace is not None:
        came = f"{new[0]}, its replacement," if len(new) == 1 == len(old) else new[0] if len(new) == 1 else ""
        came = came or f"the last of {len(new)} new tasks"
        # Some seconds are the gateway's cache and the next request's turn; more: the application does not listen yet.
        if findings.arm == DIRECT and at.register is not None and at.replace - at.register > 1.5 * SETTLE:
            came += f" was in Cloud Map after {at.register:.1f} s and"
        steps.append(f"{came} first answered after {at.replace:.1f} s")
    gone = set(fault.hostnames) - set(findings.replacements)  # a task that comes may get the name of one that went
    last = [answer - fault.at for host, (_, answer) in findings.answered.items() if host in gone]
    if at.deregister is not None and last and max(last) >= 0.05:
        who = old[0] if len(old) == 1 else "a stopped task"
        steps.append(f"{who} gave its last answer after {max(last):.1f} s at most")
    return f"After {findings.experiment.event}: {'; '.join(steps)}." if steps else ""


def rebalancing(findings: Findings) -> str:
    """What ECS did about Availability Zones that the event had left uneven, if it did; else ""."""
    moves = findings.rebalancing
    if moves is None:
        return ""
    names = short([*(host.hostname for host in findings.hosts), *moves.came, *moves.gone])
    came, gone = (joined([names[name] for name in hosts]) for hosts in (moves.came, moves.gone))
    failed = f"{findings.failed_since_move:,}" if findings.failed_since_move else "no"
    plural = "" if findings.failed_since_move == 1 else "s"
    were = "was" if len(moves.gone) == 1 else "were"
    return (
        f"Then ECS evened out the zones by itself (availabilityZoneRebalancing): {came} came, and {gone} {were} "
        f"stopped after {moves.stopped_s:.1f} s; {failed} request{plural} failed from then on."
    )


def throttled(findings: Findings) -> int:
    """Requests that failed at the stage's limit; where the service names no host, it may be the service's own."""
    return 0 if unnamed(findings) else findings.failures_by_cause.get(Cause(429, from_host=False), 0)


def load_of(measured: Measured) -> str:
    """How much load on what, and when."""
    found = list(measured.findings.values())
    first = record_of(measured.runs[DIRECT])
    users, rate = sum(findings.users for findings in found), sum(findings.rate for findings in found)
    ways = ", half of it each way" if len(found) > 1 else ""
    loop = "" if first.settings.rate else ", each of whom asks again once answered"
    began = datetime.fromtimestamp(first.start or 0, UTC)
    return (
        f"{found[0].duration:.0f} s of load with {users} users{loop}, on {first.target} "
        f"({rate:,.0f} requests per second{ways}), from {began:%Y-%m-%d %H:%M:%S} UTC."
    )


def measured_on(measured: Measured) -> str:
    """A sentence, with a space after it, where it was no AWS."""
    if not record_of(measured.runs[DIRECT]).experiment.assumed:
        return ""
    return f"{ON_THE_TWIN} "


def source_of(measured: Measured) -> list[str]:
    """Where the numbers come from: the drain, what was assumed, versions, and the command that repeats it."""
    record = record_of(measured.runs[DIRECT])
    what, found = record.experiment, measured.findings.values()
    sentences = []
    if "drain_seconds" in what.task.model_fields_set:
        drain = what.task.drain_seconds
        served = f"keeps serving for {drain:g} s after" if drain else "ends at once on"
        sentences.append(f"DRAIN_SECONDS was {drain:g}: a service that follows it {served} SIGTERM.")
    if what.assumed:
        told = [
            f"{name} {f'{own:g}' if isinstance(own, float) else str(own).lower()}" for name, own in what.assumed.items()
        ]
        sentences.append(f"The twin's parameters, those that are assumed among them: {', '.join(told)}.")
    if record.versions:
        sentences.append(f"Versions: {', '.join(f'{name} {version}' for name, version in record.versions.items())}.")
    if what.name:
        rate = sum(findings.asked_rate or 0 for findings in found)
        users = sum(findings.users for findings in found)
        options = [f"--users {users}", f"--rate {rate:g}"]  # 0: a closed loop
        if record.settings.run_time_s:
            options.append(f"--duration {record.settings.run_time_s:g}")
        path = (record.settings.path_mix or "").rpartition("=")[0]
        if what.hop not in (GATEWAY, UPSTREAM):
            path = unquote(path.rpartition("&path=")[2])
        options += [f"--path '{path}'"] if path not in ("", "/hostname") else []
        options += [f"--hop {what.hop}"] if what.hop != GATEWAY else []
        options += [f"--sweep {name}={value:g}" for name, value in measured.parameters.items()]
        options += [f"--target {shlex.quote(what.outputs)}"] if what.outputs not in (None, OUTPUTS) else []
        sentences.append(repeats(f"lab run {what.name} {' '.join(options)}"))
        if LOAD_BALANCER in measured.runs:
            sentences.append(
                "It takes a stack with a load balancer beside: `SC_COMPARISON=true make synth && twin up`."
            )
    return sentences


OUTPUTS = ".twin/outputs.json"
"""What `lab run` takes by itself."""


def repeats(command: str) -> str:
    """What to type for the same again."""
    return f"The command that repeats it: `{command}`."


def timeline_shows(findings: Findings) -> str:
    """The picture of seconds, for those who cannot see it."""
    rates = f"Stacked areas of the requests per second that each of {len(findings.hosts)} hosts answered"
    failed = f"; {findings.failures:,} failed ones hang below the axis" if findings.failures else "; none failed"
    event = f"; a dashed line marks {findings.experiment.event}" if findings.fault else ""
    return f"{rates}{failed}{event}."
