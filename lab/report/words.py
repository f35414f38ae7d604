"""What the lab says in English: each sentence once, from values. A sentence claims no more than its data show."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from lab.distribution.gateway import Gateway, Policy
from lab.distribution.intervals import Share
from lab.distribution.judgement import Analysis, Judgement
from lab.distribution.presence import SETTLE
from lab.experiments.catalogue import CLIENT_PROXY, DIRECT, GATEWAY, LOAD_BALANCER, UPSTREAM, Experiment
from lab.experiments.findings import Cause, Findings, Flaw
from lab.experiments.study import Measured, Row, Spread, Study
from lab.records.run import record_of
from load.rate import missed_sentence

if TYPE_CHECKING:  # each takes a tenth of a second, and most pages are about neither
    from lab.experiments.calibration import Assumption, Calibration
    from lab.experiments.compare import Comparison

NO_HOST = "no host known"
WAYS = {DIRECT: "no load balancer", LOAD_BALANCER: "load balancer", CLIENT_PROXY: "client proxy"}
THROUGH = {
    DIRECT: "without a load balancer",
    LOAD_BALANCER: "through the load balancer",
    CLIENT_PROXY: "through the client proxy of another service",
}
"""How the gateway, or another service, finds the tasks, as the head of a column and in a sentence."""
_LEFT = {
    DIRECT: "Cloud Map",
    LOAD_BALANCER: "the target group",
    CLIENT_PROXY: "Cloud Map",
}  # where each way looks for tasks

MOST_DRAWN = 30  # hosts in a picture

ON_THE_TWIN = "Measured on the twin, an emulation on one machine, in which what AWS does not document is assumed."

BESIDE = (
    "Both ways lead to the same tasks here, and a service with a load balancer keeps each task that leaves for the "
    "target group's deregistration delay before it is stopped. That serves the other way too: what clients see without "
    "any load balancer is measured on a stack that has none."
)
"""What must be known to read both ways side by side."""

NOT_BESIDE = (
    "Of the stack with a load balancer only what passed through it is here. What passed by it is no measurement of "
    "going without: its tasks are kept for the target group's deregistration delay too."
)
"""What must be known to read it beside a stack that has none."""

MATRIX = (
    "Times are seconds after the event: when requests began to fail and when they ceased; when the split over the "
    "hosts was even again; when ECS began to stop or to start a task; when the last stopped task was out of Cloud "
    "Map; when the last new task first answered. A dash: it did not happen in the run, or there is no such thing in "
    "it. Even again is late by chance now and then, in up to a fifth of simulated runs."
)

_TABLES = json.loads(Path(__file__).with_name("glossary.json").read_text())
GLOSSARY: Mapping[str, str] = _TABLES["terms"]
SETTINGS: Mapping[str, str] = _TABLES["settings"]
"""What may be swept, for axes."""


# Numbers and names


def percent(fraction: float, digits: int = 3) -> str:
    """5 %, 0.0123 %, 1100 %: three significant *digits* at most, or whole."""
    value = 100 * fraction
    return f"{value:.0f} %" if value >= 10**digits / 10 else f"{value:.{digits}g} %"


def digits_of(count: int) -> int:
    """How many significant digits a share carries of which so many were counted: one of 1,116 is 0.09 %."""
    return min(3, len(str(count)))


def p_words(probability: float) -> str:
    """p = 0.018, p < 0.0001."""
    return "p < 0.0001" if probability < 0.0001 else f"p = {probability:.2g}"


def capital(text: str) -> str:
    """With a capital letter in front."""
    return f"{text[:1].upper()}{text[1:]}"


def uncapital(text: str) -> str:
    """With a small letter in front, as behind a colon."""
    return f"{text[:1].lower()}{text[1:]}"


def joined(names: Sequence[str]) -> str:
    """Such as `a, b and c`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def short(hosts: Iterable[str]) -> dict[str, str]:
    """Hostnames up to the first dot, where that tells them apart; "" is no host."""
    names = [host for host in hosts if host]
    cut = [host.partition(".")[0] for host in names]
    told = dict(zip(names, cut if all(cut) and len(set(cut)) == len(set(names)) else names, strict=True))
    return {**told, "": NO_HOST}


def furthest(shares: Sequence[Share], most: int) -> list[Share]:
    """The shares furthest off what is expected, so many at most, in the order given."""
    chosen = sorted(shares, key=lambda share: -abs(share.deviation))[:most]
    return [share for share in shares if share in chosen] if len(chosen) < len(shares) else list(shares)


def deviation_ends(share: Share) -> tuple[float, float]:
    """The interval of a share as that of the deviation from its even part."""
    if not share.expected_share:
        return 0.0, 0.0
    return share.low / share.expected_share - 1, share.high / share.expected_share - 1


# One run


def answer(findings: Mapping[str, Findings]) -> str:
    """What clients saw, in one sentence, from the findings of each way."""
    direct = findings[DIRECT]
    if not direct.requests:
        return "No request was answered or failed: nothing was measured."
    flawed = next((each for each in findings.values() if each.flaw), None)
    if flawed is not None:
        until = "" if flawed.flaw in _OF_ANOTHER else " until then"
        return f"{capital(flaw_of(flawed))}, so this run {_no_finding(flawed)}: {_failed(direct).lower()}{until}."
    text = f"{_failed(direct)} {direct.experiment.when}"
    for arm, way in {LOAD_BALANCER: "through a load balancer", CLIENT_PROXY: THROUGH[CLIENT_PROXY]}.items():
        if beside := findings.get(arm):
            text += f"; {way} {_failed(beside).lower()}"
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
    Flaw.DISTURBED: "a task stopped or came before {event}, so what followed has two causes",
    Flaw.ACCIDENT: "the twin itself lost a part meanwhile",
    Flaw.NO_END: "the load did not come to its end",
}


_OF_ANOTHER = {Flaw.NOT_SLOW, Flaw.DISTURBED, Flaw.ACCIDENT}
"""Of what such a run shows nobody knows whether the event caused it; of others, what would have come after its end."""


def _no_finding(findings: Findings) -> str:
    event = findings.experiment.event
    if findings.fault is None:
        return "says nothing of it" if event else "is no whole one"
    return f"is no measurement of {event}" if findings.flaw in _OF_ANOTHER else f"does not show all of {event}"


def flaw_of(findings: Findings) -> str:
    """Why a run says nothing of its experiment, such as `the load ended before the stop`; "" where it does."""
    if findings.flaw is Flaw.ENDED_EARLY:
        return f"the load ended after {findings.duration:.0f} of {findings.planned or 0:.0f} s"
    return _FLAWS[findings.flaw].format(event=findings.experiment.event) if findings.flaw else ""


def _failed(findings: Findings) -> str:
    failed = f"{findings.failures:,}" if findings.failures else "None"
    unknown = f" and {findings.unfinished:,} more had no end yet" if findings.unfinished else ""
    return f"{failed} of {findings.requests:,} requests failed{unknown}"


def failures(findings: Findings) -> str:
    """Why and when requests failed, such as `All 81 with 503 from the gateway or a proxy, 0.0 s to 1.7 s after ...`."""
    if not findings.failures:
        return ""
    causes = [f"{count:,} {_cause(cause, findings.arm)}" for cause, count in findings.failures_by_cause.items()]
    words = f"Failed: {'all ' if len(causes) == 1 and findings.failures > 1 else ''}{joined(causes)}"
    if findings.fault and findings.failure_window:
        first, last = findings.failure_window
        words += f", from {first:.1f} s to {last:.1f} s after {findings.experiment.event}"
    if findings.fault and (before := findings.period("before")) and before.failures:
        words += f", {before.failures:,} of them before {findings.experiment.event}"
    return f"{words}; that is {seconds(findings.failed_seconds)} s of traffic." if findings.rate else f"{words}."


def _cause(cause: Cause, arm: str) -> str:
    if not cause.status:
        return "without an answer"
    other = "the calling service, the gateway or a proxy" if arm == CLIENT_PROXY else "the gateway or a proxy"
    return f"with {cause.status} from {'a task' if cause.from_host else other}"


def hint(measured: Measured) -> str:
    """What to do about requests that failed because the service listens late, or does not serve on; "" elsewhere."""
    return " ".join(filter(None, (_listens_late(measured.findings[DIRECT]), _ends_at_once(measured), _luck(measured))))


def _luck(measured: Measured) -> str:
    """Where a planned stop lost nothing that would have lost requests at another age of the gateway's list; else ""."""
    findings, assumed = measured.findings[DIRECT], measured.record.experiment.assumed or {}
    used_for, went_on = assumed.get("discovery_ttl"), findings.went_on
    if findings.failures or went_on is None or not findings.experiment.planned or not isinstance(used_for, float | int):
        return ""
    if went_on >= used_for:
        return ""
    return (
        f"This may be luck: a task ended {went_on:.1f} s after it had left Cloud Map, and the gateway uses its list "
        f"for {used_for:g} s. At another age of the list such a stop may lose requests: `--repeat 6` shows "
        f"how many. {_SERVE_ON}"
    )


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
    # But those that are told already.
    failed = findings.failures - findings.too_soon
    answered_503 = findings.failures_by_cause.get(Cause(503, from_host=False), 0) - findings.too_soon
    if stop is None or stop.served_on >= 1 or findings.failure_window is None:
        return ""
    # The failures' first second is a whole one, which may have begun before the stop.
    first, last = findings.failure_window
    from_the_stop_on = last >= stop.began if findings.too_soon else abs(first - stop.began) <= 1
    chosen = "drain_seconds" in measured.parameters
    if chosen or not (findings.experiment.planned and from_the_stop_on and 2 * answered_503 > failed):
        return ""
    return (
        f"503 from the stop on: the service answered for {stop.served_on:.1f} s after the stop, and no longer. "
        f"{_SERVE_ON}"
    )


_SERVE_ON = (
    "To serve on: `examples/serve_on.sh` of the project serviceconnect, and 'Serve on after SIGTERM' in its "
    "docs/own-service.md."
)


def times(findings: Findings) -> list[str]:
    """What happened when after the event, a sentence each; none without an event."""
    if findings.fault is None:
        return []
    sentences = [_story(findings)] if _story(findings) else []
    if unnamed(findings):
        return sentences
    even = findings.even_again
    if even is not None and even.seconds is not None:
        fine = f" (give or take {even.resolution_s:.1f} s)" if even.resolution_s else ""
        failed = "no request failed and " if findings.failure_window else ""
        since = f"{even.seconds:.1f} s after {findings.experiment.event}{fine}"
        sentences.append(f"Even again {since}: from then on {failed}no unevenness is shown.")
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
            "measured."
        )
    return sentences


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
    refused = throttled(findings)
    amiss = {
        f"{refused:,} failed because the stage admits no more (429), whatever happened to the tasks: give a smaller "
        "--rate, or set throttle_rate and throttle_burst.": refused,
        "No answer named its host in `x-hostname`, so how the requests were spread is not known: let the service send "
        "it, or start the twin with --name-tasks.": unnamed(findings),
        f"{findings.unfinished or 0:,} more requests were under way when the load ended: what became of them is not "
        "known.": findings.unfinished,
        missed_sentence(findings.rate, findings.asked_rate or 0, bool(lost)): findings.missed_rate,
        f"{lost} of Locust's processes did not report all that they sent: {missing:,} requests, as far as it is known, "
        "and those that they had under way, are in no count.": lost,
        "Locust's statistics were reset during the run: only what came after is counted.": findings.resets,
    }
    sentences = [sentence for sentence, is_so in amiss.items() if is_so]
    return sentences + [f"The twin had an accident of its own: {accident.what}." for accident in findings.accidents]


def _story(findings: Findings) -> str:
    """With the hosts' names where one task went and one came: out of Cloud Map, first answer, last answer."""
    fault, at, steps = findings.fault, findings.times, []
    assert fault is not None
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
    if at.deregister is not None and last and max(last) > 0:
        who = old[0] if len(old) == 1 else "a stopped task"
        steps.append(f"{who} gave its last answer within {max(last):.1f} s")
    event = findings.experiment.event
    story = f"After {event}: {'; '.join(steps)}." if steps else ""
    if findings.arm != DIRECT or fault.discovery_age_s is None:
        return story
    return f"At {event} the gateway's list of tasks was {fault.discovery_age_s:.1f} s old, by chance. {story}".rstrip()


def split(periods: Mapping[str, Judgement], shown: Collection[str]) -> str:
    """How even the splits of a run were, by period: bounds, then evidence, then what would have been seen.

    shown: the periods of which there is evidence at the page's level.
    """
    known = {name: own for name, own in periods.items() if own.bound is not None}
    if not known:
        return ""
    bounded = {name: own for name, own in known.items() if name in shown or not _is_noise(own)}
    text = ""
    if bounded:
        limits = [f"{percent(own.bound or 0)}{_when(name)}" for name, own in bounded.items()]
        limits[0] = limits[0].replace(" %", " % off its share", 1)
        text = f"No host is more than {joined(limits)} ({_confidence(list(bounded.values()))})."
    too_few = [f"{own.requests - own.left_out:,}{_when(name)}" for name, own in known.items() if name not in bounded]
    if too_few:
        text += (
            f" Too few requests to say that no host is more than {percent(_WIDEST)} off its share: {joined(too_few)}."
        )
    for name, own in known.items():
        if 2 * own.left_out > own.requests:
            judged = f"{own.requests - own.left_out:,} of the {own.requests:,} requests{_when(name)}"
            text += f" Judged are {judged}: the others came while a host came or went{_within(own)}."
    for name in shown:
        text += f" Uneven{_when(name)}: {_off(periods[name])} ({p_words(periods[name].p_value)})."
    if len(shown) < len(known):
        rest = " otherwise" if shown else ""
        even = [own for name, own in known.items() if name not in shown]
        text += f" No sign of unevenness{rest}.{_would_show(even)}{_one_of(even[0])}."
    for name, own in known.items():
        if name not in shown:
            text += _in_runs(own, _when(name))
    return text.strip()


def splits(judgements: Sequence[Judgement], shown: int) -> str:
    """Of runs in which nothing happened: of how many there is evidence at the page's level, and what each allows."""
    known = [own for own in judgements if own.bound is not None]
    if not known:
        return ""
    each = "the one split" if len(known) == 1 else f"{len(known)} splits (at 5 % for all together)"
    text = f"Unevenness is shown in {shown or 'none'} of {each}"
    bounds = [own.bound or 0 for own in known if not _is_noise(own)]
    if not bounds:
        return f"{text}, with too few requests to say that no host is more than {percent(_WIDEST)} off its share."
    low, high = percent(min(bounds)), percent(max(bounds))
    limit = high if low == high else f"{low.removesuffix(' %')} to {high}"
    alone = ", each by itself" if len(bounds) > 1 else ""
    some = f" in {len(bounds)} of them" if len(bounds) < len(known) else ""
    return f"{text}; no host is more than {limit} off its share{some} ({_confidence(known)}{alone})."


_WIDEST = 0.25  # off its share


def _is_noise(judgement: Judgement) -> bool:
    """Whether the bound is so wide because the requests are few, and says no more than that."""
    visible = judgement.skew_visible
    return (judgement.bound or 0) > _WIDEST and (visible is None or visible > _WIDEST)


def _when(period: str) -> str:
    """A run in which nothing happened has one period only, which goes without saying."""
    return "" if period == "whole run" else f" {period}"


def split_numbers(name: str, judgement: Judgement) -> str:
    """The numbers behind what is said of a split."""
    freedom = judgement.degrees_of_freedom
    requests = judgement.requests - judgement.left_out
    if not requests:
        return f"{capital(name)}: {left_out(judgement).strip()}"
    return (
        f"{capital(name)}: {requests:,} requests over {judgement.hosts:,} hosts, chi-square {judgement.chi_square:.2f} "
        f"on {freedom} degree{'s' if freedom > 1 else ''} of freedom, {p_words(judgement.p_value)}{_given(judgement)}; "
        f"of {judgement.requests_needed:,} requests a host {percent(judgement.detect)} off would be seen in four runs "
        f"of five{_one_of(judgement)}{'; ' if judgement.left_out else '.'}{left_out(judgement)}"
    )


def bound(judgement: Judgement, what: str = "host") -> str:
    """What was measured: how far off its share any host may be."""
    if judgement.bound is None:
        return f"No request was answered by a known {what}."
    return f"No {what} is more than {percent(judgement.bound)} off its share ({_confidence([judgement])})."


def hop_title(who: str, what: str, analyses: Sequence[Analysis]) -> str:
    """Whether a hop is even, such as `Each caller's requests go over its upstreams in turn: none is 0.2 % off.`"""
    furthest = percent(max(analysis.judgement.max_deviation for analysis in analyses))
    if any(analysis.evidence for analysis in analyses):
        return f"{who} spreads unevenly: one {what} is {furthest} off its share."
    if all(analysis.shown("regular") for analysis in analyses):
        return f"{who} takes its {what}s in turn: none is more than {furthest} off its share."
    return f"{who}: no {what} is shown to be off its share; the furthest is {furthest}."


def evidence(judgement: Judgement, *, shown: bool, what: str = "host") -> str:
    """Whether the requests show that it is uneven, `shown` at the page's level; if not, what they would have shown."""
    if shown:
        return f"Uneven: {_off(judgement)} ({p_words(judgement.p_value)})."
    needed = ""
    if judgement.skew_visible is None or judgement.skew_visible > judgement.detect:
        needed = f", and of {judgement.requests_needed:,} requests one {percent(judgement.detect)} off"
    seen = f"{_would_show([judgement], what)}{needed}{_one_of(judgement)}"
    return f"No sign of unevenness ({p_words(judgement.p_value)}).{seen}.{_in_runs(judgement)}"


def _one_of(judgement: Judgement) -> str:
    """Beside what would be seen: of how many tests at 5 % together, for that moves it."""
    return f" (as one of {judgement.tests} tests)" if judgement.tests > 1 else ""


def _in_runs(judgement: Judgement, when: str = "") -> str:
    """Of a split that is not shown to be uneven, and would be if requests were independent; empty for others."""
    if judgement.dispersion_seen is None or judgement.p_value_independent > judgement.level:
        return ""
    return (
        f" Independent requests would seldom be spread so much{when} ({p_words(judgement.p_value_independent)}); "
        f"answers in runs are, and these are seen to be spread {judgement.dispersion_seen:.3g} times as much."
    )


def _given(judgement: Judgement) -> str:
    """What a p-value allows for beside chance."""
    if judgement.p_value == judgement.p_value_independent:
        return ""
    return f" given an overdispersion of {judgement.dispersion_seen:.3g}"


def _off(judgement: Judgement) -> str:
    more = "more" if judgement.furthest_deviation > 0 else "fewer"
    host = short([judgement.furthest_host])[judgement.furthest_host]
    return f"{host} got {percent(judgement.max_deviation)} {more} requests than its share"


def _would_show(judgements: Sequence[Judgement], what: str = "host") -> str:
    seen = [own.skew_visible for own in judgements if own.skew_visible is not None and own.skew_visible <= 1]
    if len(seen) < len(judgements):
        return " So few requests would hardly show any"
    return f" A {what} {percent(max(seen))} off its share would be seen in four runs of five"


def _confidence(judgements: Sequence[Judgement]) -> str:
    independent = any(own.dispersion_seen is None for own in judgements)
    return f"95 % confidence{', if requests are independent' if independent else ''}"


def left_out(judgement: Judgement) -> str:
    """What of a split was not judged, and why; empty if nothing."""
    if not judgement.left_out:
        return ""
    return f"{judgement.left_out:,} requests are left out, answered while a host came or went{_within(judgement)}."


def _within(judgement: Judgement) -> str:
    return f" or within {judgement.settle:g} s of that" if judgement.settle else ""


def throttled(findings: Findings) -> int:
    """Requests that failed at the stage's limit."""
    return findings.failures_by_cause.get(Cause(429, from_host=False), 0)


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
        sentences.append(f"The command that repeats it: `lab run {what.name} {' '.join(options)}`.")
    return sentences


# Pictures


def timeline_shows(findings: Findings) -> str:
    """The picture of seconds, for those who cannot see it."""
    rates = f"Stacked areas of the requests per second that each of {len(findings.hosts)} hosts answered"
    failed = f"; {findings.failures:,} failed ones hang below the axis" if findings.failures else "; none failed"
    event = f"; a dashed line marks {findings.experiment.event}" if findings.fault else ""
    return f"{rates}{failed}{event}."


def lost_shows(events: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """The picture of what each event lost, for those who cannot see it."""
    told = []
    for event, own in events.items():
        ways = [f"{f'{name} ' if len(own) > 1 else ''}{lost_seconds(found)}" for name, found in own.items()]
        told.append(f"{event}: {', '.join(ways)}")
    return f"Bars of the seconds of traffic that failed. {'; '.join(told)}."


def lost_seconds(found: Sequence[float]) -> str:
    """Of one run or several: such as `0.8 (0.6 to 0.9) s`, or `none`."""
    return f"{spread(Spread.of(found, 's'))} s" if max(found) else "none"


def deviations_show(splits: Mapping[str, Sequence[Share]]) -> str:
    """The picture of deviations, for those who cannot see it."""
    told = []
    for name, shares in splits.items():
        names = short(share.host for share in shares)
        hosts = [f"{names[share.host]} {100 * share.deviation:+.1f} %" for share in furthest(shares, MOST_DRAWN)]
        told.append(f"{name}: {', '.join(hosts)}")
    return f"How far each host is off its share. {'; '.join(told)}."


def deviations_title(splits: Mapping[str, Sequence[Share]]) -> str:
    """The caption of the deviations of one split or of several."""
    hosts = len({share.host for shares in splits.values() for share in shares})
    some = f": the {MOST_DRAWN} of {hosts:,} that are furthest off" if hosts > MOST_DRAWN else ""
    moved = any(row.joined or row.left for shares in splits.values() for row in shares)
    return f"How far each host is off its share{', in its own time' if moved else ''}{some}"


def convergence_title(analysis: Analysis) -> str:
    """The caption of the deviations against the requests so far."""
    stretch = "" if analysis.subject.exposure.constant else ", in the longest stretch with the same hosts"
    return f"How far each host is off its share as requests add up{stretch}"


def gateway_words(gateway: Gateway, policy: Policy | None = None) -> str:
    """A simulated gateway, with what counts for one policy or for any."""
    text = f"{gateway.tasks:,} tasks, {gateway.front_ends:,} front end{'s' if gateway.front_ends > 1 else ''}"
    if policy in (None, Policy.LEAST_REQUEST):
        text += f", {gateway.in_flight:,} requests in flight at each"
    return text + (f", {gateway.run_length:,} requests a connection" if policy in (None, Policy.STICKY) else "")


# Two studies, or two ways

COMPARED = (
    "Seconds of traffic: failed requests by the rate. The run is the unit; p is adjusted for all experiments here, "
    "and a difference is shown at 5 %."
)


def seconds(value: float) -> str:
    """To a tenth; less than that to one significant digit, so that one lost request is no zero."""
    return f"{value:.1g}" if 0 < value < 0.05 else f"{value:.1f}"


def _percentage(value: float, digits: int = 3) -> str:
    return percent(value / 100, digits).removesuffix(" %")


_UNITS: Mapping[str, Callable[[float], str]] = {
    "": "{:,.0f}".format,
    "%": _percentage,
    "s": seconds,
    "ms": "{:,.1f}".format,
}


def spread(of: Spread, digits: int = 3) -> str:
    """Such as `1.3 (0.9 to 2.1)`, in the figure's unit; so many *digits* of a percentage."""
    told = partial(_percentage, digits=digits) if of.unit == "%" else _UNITS[of.unit]
    low, median, high = (told(value) for value in (of.low, of.median, of.high))
    # A narrow column breaks before the parenthesis, not inside of it.
    return median if low == high else f"{median} " + f"({low} to {high})".replace(" ", "\xa0")


def interval(low: float, high: float, unit: str) -> str:
    """Of a difference, such as `-0.8 to +1.0`, in the figure's unit."""
    return " to ".join(f"{'-' if end < 0 else '+'}{_UNITS[unit](abs(end))}" for end in (low, high))


def comparison_subject(each: Comparison) -> str:
    """Such as `stop-task, discovery_ttl 5`."""
    return ", ".join([each.experiment, *(f"{name} {value:g}" for name, value in each.setting.items())])


def comparison_answer(found: Sequence[Comparison]) -> str:
    """What two sets of runs show of a difference, in one sentence."""
    different = [comparison_subject(each) for each in found if each.shown]
    if not different:
        return f"No difference is shown in {len(found)} experiment{'s' if len(found) > 1 else ''}."
    rest = len(found) - len(different)
    return f"They differ in {joined(different)}{f'; in {rest} more no difference is shown' if rest else ''}."


def comparison_of(each: Comparison) -> str:
    """What the runs show, or what they would have shown."""
    if each.shown:
        return "shown"
    if each.would_show is not None:
        return f"not shown; one of {each.would_show:.1f} s would have been, four times of five"
    if min(len(each.first), len(each.second)) >= each.repeats_needed:
        return "not shown; the runs of a side are alike, so what would have been shown is not known"
    what = "pairs" if each.paired else "runs on each side"
    return f"not shown; it takes {each.repeats_needed} {what} to show any"


def rates_that_differ(found: Sequence[Comparison]) -> list[str]:
    """A sentence for each experiment whose two sides were not asked the same."""
    return [
        f"{comparison_subject(each)}: the rates differ ({each.rates[0]:,.0f} and {each.rates[1]:,.0f} requests/s), so "
        "more than one thing is compared."
        for each in found
        if each.rates_differ
    ]


# Several runs


def flaws(study: Study) -> list[str]:
    """The runs of a study that say nothing, each with the reason: `stop-task, repeat 2 (the load ended ...)`."""
    found = [(measured, flaw_of(each)) for measured in study.measured for each in measured.findings.values()]
    return list(dict.fromkeys(f"{measured.label} ({flaw})" for measured, flaw in found if flaw))


def unused(studies: Sequence[Study], where: str) -> str:
    """Of *where* some runs are not a part, and why; empty if all are."""
    told = [flaw for study in studies for flaw in flaws(study)]
    return f"{where}: {'; '.join(told)}." if told else ""


def slow_before(matrix: Sequence[Row]) -> str:
    """The rows whose requests were slow before anything happened, beside the others; "" where there is none."""
    known = [(row, found.median) for row in matrix if (found := row.figures.get("p99_before_ms"))]
    usual = statistics.median([p99 for _, p99 in known]) if known else 0.0
    slow = [
        f"{row.experiment.name} {THROUGH[row.arm]} ({p99:,.0f} ms)"
        for row, p99 in known
        if p99 > max(_SLOW, _MUCH_SLOWER * usual)
    ]
    if not slow:
        return ""
    others = f"p99 before the event is {usual:,.0f} ms in the median of all"
    return f"Slow before anything happened, where {others}: {joined(slow)}. Something else was at work; repeat it."


_SLOW, _MUCH_SLOWER = 100.0, 5.0  # ms, and times as slow as the others


def swept(matrix: Sequence[Row]) -> list[str]:
    """The names of the settings that differ between rows."""
    return list(dict.fromkeys(name for row in matrix for name in row.parameters))


def setting(name: str, value: float | None) -> str:
    """The value of what was swept, with what it means for the application; a dash for none."""
    if value is None:
        return "-"
    meaning = (": serves on" if value else ": ends at once") if name == "drain_seconds" else ""
    return f"{value:g}{meaning}"


def drain(seconds: float) -> str:
    """What the application does on SIGTERM."""
    return f"serves on for {seconds:g} s" if seconds else "ends at once"


def column(measured: Measured, arm: str) -> str:
    """The way to the tasks, what the application does on SIGTERM, and what else was swept."""
    hop = measured.record.experiment.hop
    told = [f"tasks of {hop}" if arm == DIRECT and hop not in (GATEWAY, UPSTREAM) else WAYS[arm]]
    if arm == DIRECT and LOAD_BALANCER in measured.runs:
        told.append("on a stack with one")
    if measured.drain is not None:
        told.append(drain(measured.drain))
    told += [f"{name} {value:g}" for name, value in measured.parameters.items() if name != "drain_seconds"]
    return ", ".join(told)


UNENDED = "*"
"""Beside a number of failed requests that does not have those of the end of a task."""


def counted_until(found: Sequence[Findings]) -> str:
    """How long the load went on after each event, and what UNENDED means if it is there; "" without events."""
    after: dict[str, list[float]] = {}
    for each in found:
        if each.after is not None:
            after.setdefault(each.experiment.event, []).append(each.after)
    if not after:
        return ""
    text = f"The load went on for {joined([f'{_span(own)} after {event}' for event, own in after.items()])}."
    if not any(each.unended for each in found):
        known = [each.went_on is not None for each in found if each.experiment.outlasts]
        return f"{text[:-1]}; tasks that were stopped on purpose had ended by then." if known and all(known) else text
    return (
        f"{text} Where a number has a {UNENDED}, the load ended before the tasks did that were stopped: what clients "
        "see of their end is not measured."
    )


def without_sigterm(events: Sequence[Experiment]) -> str:
    """Of *events* in columns that differ only in what the application does on SIGTERM; "" for none."""
    if not events:
        return ""
    names = joined([each.name for each in events])
    return (
        f"{capital(names)}: no SIGTERM comes before requests fail, so serving on changes nothing: columns that differ "
        "in that alone differ by chance."
    )


_ALIKE = 2.0  # seconds: no load was asked to be so much longer than another


def _span(seconds: Sequence[float]) -> str:
    """Such as `8 to 9 s`, or `11 s or more`; not rounded up, for nothing is known of what comes later."""
    low, high = math.floor(min(seconds)), math.floor(max(seconds))
    if max(seconds) - min(seconds) > _ALIKE:
        return f"{low} s or more"
    return f"{low if low == high else f'{low} to {high}'} s"


# Calibration


def calibration_words(calibration: Calibration) -> list[str]:
    """What agrees, what cannot be told apart, and what would tell it."""
    leaving, lifetime = calibration.leaving, calibration.leaving.lifetime
    seen = "no task was seen to be stopped on purpose; run stop-task or scale-in."
    if lifetime:
        within = f"{lifetime.low:.1f} s to {lifetime.high:.1f} s with 95 % confidence"
        seen = f"{within} (tasks that left: {lifetime.windows})."
    elif leaving.windows:
        seen = (
            "not to be seen, for no request failed, and retries over connections that are not reused would hide that "
            "as well as a lifetime near 0."
        )
    lines = [f"Cache lifetime (discovery_ttl): {seen}"]
    if leaving.windows:
        together = _either(map(_assumption, leaving.assumptions)) or "nothing that the twin can be set to"
        lines.append(f"Connections and retries: {together}.")
        if len(leaving.assumptions) > 1 and not calibration.drains:
            lines.append("Tasks that serve on after SIGTERM tell more: lab run stop-task --sweep drain_seconds=10")
    if calibration.balancing:
        policies = [
            f"{policy} ({_PARAMETER[policy]} {', '.join(parameters)})" if any(parameters) else policy
            for policy, parameters in calibration.balancing.items()
        ]
        lines.append(f"Balancing: {_either(policies)}, from {calibration.requests:,} requests.")
        if calibration.front_ends:
            low, high = calibration.front_ends
            least = "any number" if low is None else f"{low:,}"
            lines.append(
                f"Front ends, if it is round robin: {least} to {high:,}, for each may go through one order of the "
                "tasks or be given a new one at each discovery, which AWS does not document."
            )
    elif calibration.requests:
        lines.append(f"Balancing: no policy that is simulated spreads requests like these {calibration.requests:,}.")
    else:
        lines.append("Balancing: too few requests; run baseline.")
    return lines


def _either(options: Iterable[str]) -> str:
    told = list(options)
    return "; or ".join(told) + (", which these runs cannot tell apart" if len(told) > 1 else "")


_PARAMETER = {
    "round-robin": "independent orders", "least-request": "requests in flight", "sticky": "requests of a connection",
}  # fmt: skip


def _assumption(assumption: Assumption) -> str:
    reused = "reused" if assumption.reuse_connections else "not reused"
    return f"connections to tasks {reused}, {'one retry or more' if assumption.retries else 'no retry'}"
