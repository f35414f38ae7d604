"""What several runs say together, as the headline of their page: of each event what it lost, without a ranking.

How much an event loses is another number in each run, so of a few runs no event is called the worst; and a share of the
requests would depend on how long the load was.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from lab.experiments.catalogue import DIRECT
from lab.experiments.study import Ending, Row
from lab.report.study_words import AT_LEAST, DRAIN, swept
from lab.report.words import THROUGH, capital, drain, joined, seconds

_MOST_CLAUSES = 3  # of a rule, or a sentence
_MOST_COLUMNS = 4  # ways and settings whose numbers are told
_MOST_EVENTS = 4  # of one way and setting that are told one by one

# By way, how the application ends, and the values of what was swept.
_Columns = Mapping[tuple[object, ...], Sequence[Row]]


def study_answer(matrix: Sequence[Row]) -> str:
    """What several runs say, in a sentence or a few."""
    if not matrix:
        return "No run came to its end, so there is nothing to say of them together."
    # Of what passed by a load balancer only the counts are added, where another stack has none.
    beside = [row for row in matrix if row.beside]
    if any(row.arm == DIRECT and not row.beside for row in matrix):
        matrix = [row for row in matrix if not row.beside]
    else:
        beside = []
    names = swept(matrix)
    columns: dict[tuple[object, ...], list[Row]] = {}
    for row in matrix:
        if row.experiment.has_event:
            columns.setdefault((row.arm, *_setting(row, names)), []).append(row)
    least, most = min(row.runs for row in matrix), max(row.runs for row in matrix)
    runs = f"{most} runs" if least == most else f"{least} to {most} runs"
    runs = "" if len(matrix) == most == 1 else "Single runs" if most == 1 else f"{runs}{' each' * (len(matrix) > 1)}"
    events, *others = [[row.experiment.name for row in own] for own in columns.values()] or [[]]
    if len(events) > 1 and len(columns) <= _MOST_COLUMNS and all(other == events for other in others):
        if len(columns) == 1 and len(events) <= _MOST_EVENTS:
            return f"{runs}: {_one_by_one(*columns.values())}."
        kinds = [_of_kind(columns, names, beside, planned=planned) for planned in (True, False)]
        return " ".join([f"{runs}.", *filter(None, kinds)])
    text = "; ".join(filter(None, (_way(matrix, names, arm, way) for arm, way in THROUGH.items())))
    # What is alike of all is said once.
    for counted in _COUNTED:
        first, said, rest = text.partition(f" {counted}{_LOST_REQUESTS}")
        text = f"{first}{said}{rest.replace(said, '')}" if said else text
    return f"{runs}{', together' * (most > 1)}: {text}." if runs else f"{capital(text)}."


# Several events, alike in all columns


def _one_by_one(events: Sequence[Row]) -> str:
    """Such as `without a load balancer 49 requests failed when a task was stopped, and 16 during a rollout`."""
    way = THROUGH[events[0].arm]
    if not any(row.failures for row in events):
        return f"{way} no request failed in {len(events)} events{_mark(events)}"
    first, *others = events
    clauses = [f"{_requests(_range([first]))} {first.experiment.when}"]
    clauses += [f"{_range([row])} {row.experiment.when}" for row in others]
    return f"{way} {_listed(clauses)}"


def _of_kind(columns: _Columns, names: Sequence[str], beside: Sequence[Row], *, planned: bool) -> str:
    """Such as `In planned events (stop-task, rollout), 99 to 149 requests failed without a load balancer, and ...`.

    Columns that cannot differ, as no SIGTERM comes before the event, are one.
    """
    kind: dict[tuple[object, ...], list[Row]] = {}
    for (arm, ending, *values), own in columns.items():
        chosen = [row for row in own if row.experiment.planned is planned]
        alike = all(row.experiment.unwarned for row in chosen)
        known = [None if alike and name == DRAIN else value for name, value in zip(names, values, strict=True)]
        kind.setdefault((arm, None if alike else ending, *known), []).extend(chosen)
    for row in beside:
        if row.experiment.planned is planned:
            next(own for (arm, *_), own in kind.items() if arm == DIRECT).append(row)
    rows = [row for own in kind.values() for row in own]
    if not rows:
        return ""
    events = list({row.experiment.name: row.experiment for row in rows}.values())
    what = f"{'planned' if planned else 'unplanned'} events"
    what = f"{what} ({', '.join(each.name for each in events)})" if len(events) <= 3 else f"{len(events)} {what}"
    when = capital(events[0].when) if len(events) == 1 else f"In {what}"
    if not any(row.failures for row in rows):
        return f"{when}, no request failed{_mark(rows)}."
    clauses: list[str] = []
    for arm, way in THROUGH.items():
        settings = [key for key in kind if key[0] == arm]
        for number, key in enumerate(settings):
            count = _range(kind[key]) if clauses else _requests(_range(kind[key]))
            condition = _settings(names, key[1:]) if len(settings) > 1 else ""
            if number:
                condition = condition.replace("the application", "it")
            clauses.append(f"{count}{'' if number else f' {way}'}{condition}")
    return f"{when}, {_listed(clauses)}."


def _range(rows: Sequence[Row]) -> str:
    """How many requests failed in a run: such as `49`, `14 to 186`, `up to 3` or `none`."""
    failures = [found.failures for row in rows for found in row.findings]
    low, high = min(failures), max(failures)
    text = f"{high:,}" if low == high else f"{low:,} to {high:,}" if low else f"up to {high:,}"
    return f"{text if high else 'none'}{_mark(rows)}"


def _requests(count: str) -> str:
    if count.startswith("none"):
        return f"no request failed{count.removeprefix('none')}"
    return f"{count} request{'' if count == '1' else 's'} failed"


def _listed(clauses: Sequence[str]) -> str:
    return ", and ".join(filter(None, (", ".join(clauses[:-1]), clauses[-1])))


# One event, or columns that are not alike


def _way(matrix: Sequence[Row], names: Sequence[str], arm: str, way: str) -> str:
    own: dict[tuple[object, ...], list[Row]] = {}
    for row in matrix:
        if row.arm == arm:
            own.setdefault(_setting(row, names), []).append(row)
    told = [row for rows in own.values() for row in rows]
    is_grid = not any(None in setting[1:] for setting in own)
    if len(own) < 2:
        return f"{way} {_events(told)}" if told else ""
    if is_grid and len({row.experiment.name for row in told}) == 1:
        return _lossless_settings(told, names, way)
    if len(own) <= _MOST_CLAUSES:
        clauses = [_events(rows, _settings(names, setting)) for setting, rows in own.items()]
        return f"{way} {'; '.join(clauses)}"
    return _lossless_settings(told, names, way) if is_grid else f"{way} {_events(told)}"


def _setting(row: Row, names: Sequence[str]) -> tuple[object, ...]:
    """How the application ends, and the values of what was swept."""
    return (row.ending, *map(row.setting, names))


def _settings(names: Sequence[str], setting: Sequence[object]) -> str:
    """Such as ` if the application ends at once and with discovery_ttl 5`; empty for none."""
    ending, *values = setting
    known = ending if isinstance(ending, Ending) else None
    told = [
        f"if the application {drain(value, known)}" if name == DRAIN and known else f"with {name} {value:g}"
        for name, value in zip(names, values, strict=True)
        if isinstance(value, float | int)
    ]
    return f" {joined(told)}" if told else ""


_COUNTED = "events", "settings", "pairs of event and setting"
_LOST_REQUESTS = " lost requests"


def _events(matrix: Sequence[Row], condition: str = "") -> str:
    """Such as `2 of 3 events lost requests if the application ends at once`; of one event its requests.

    What is counted are rows: of several events at several settings they are pairs of these.
    """
    events = [row for row in matrix if row.experiment.has_event]
    if len(events) < 2:
        row = (events or matrix)[0]
        return f"{_lost(row)} requests failed {row.experiment.when}{condition}{_traffic(row)}"
    lossless = [row for row in events if not row.failures]
    lossy, names = len(events) - len(lossless), {row.experiment.name for row in events}
    what = _COUNTED[0 if len(names) == len(events) else 1 if len(names) == 1 else 2]
    return f"{lossy or 'none'} of {len(events)}{_mark(lossless)} {what}{_LOST_REQUESTS}{condition}"


def _traffic(row: Row) -> str:
    """Such as ` (0.8 s of traffic)`, which neither the rate nor the length of the load moves."""
    if not row.failures or (of := row.figures.get("failed_seconds")) is None:
        return ""
    low, high = seconds(of.low), seconds(of.high)
    if low == high:
        return f" ({high} s of traffic{'' if of.count == 1 else ' a run'})"
    return f" ({low} to {high} s of traffic a run)"


def _mark(matrix: Sequence[Row]) -> str:
    return AT_LEAST if any(each.unended or each.fails_to_the_end for row in matrix for each in row.findings) else ""


def _lossless_settings(matrix: Sequence[Row], names: Sequence[str], way: str) -> str:
    if len({row.experiment.name for row in matrix}) == 1 and len(matrix) <= _MOST_CLAUSES:
        return f"{way} {_by_setting(matrix, names)}"
    lossless: dict[tuple[float, ...], bool] = {}
    for row in matrix:
        setting = tuple(row.setting(name) or 0.0 for name in names)
        lossless[setting] = lossless.get(setting, True) and _is_lossless(row)
    good = sum(lossless.values())
    # A single run that lost nothing may have been lucky: no rule is made of those.
    repeated = all(row.runs > 1 for row in matrix)
    named = rule(names, lossless) if repeated and 0 < good < len(lossless) else ""
    if not good and not all(row.failures for row in matrix):
        return f"{way} of none of {len(lossless)} settings it is known that it lost no request"
    if not good:
        return f"{way} each of {len(lossless)} settings lost requests"
    return f"{way} {good} of {len(lossless)} settings lost no request{': ' if named else ''}{named}"


def _lost(row: Row) -> str:
    """Such as `75 of 3,000` or `none of 3,000`."""
    failed = f"{row.failures:,}" if row.failures else "none"
    return f"{failed}{_mark([row])} of {row.requests:,}"


def _is_lossless(row: Row) -> bool:
    """Every request of its runs had an end, and none failed."""
    return not any(findings.failures or findings.unfinished for findings in row.findings)


def _by_setting(matrix: Sequence[Row], names: Sequence[str]) -> str:
    """Such as `75 of 3,000 requests failed when a task was stopped with stop_timeout 5, and none of 3,000 with ...`."""
    told: list[str] = []
    for row in matrix:
        what = "" if told else f" requests failed {row.experiment.when}"
        told.append(f"{_lost(row)}{what}{_settings(names, _setting(row, names))}")
    return _listed(told)


# Settings that lost nothing


def rule(names: Sequence[str], lossless: Mapping[tuple[float, ...], bool]) -> str:
    """Such as `drain_seconds of 5 to 20 with discovery_ttl of 0 to 10`; "" where no short rule says it all.

    lossless: whether a setting, the values of one or two *names*, lost nothing. The rule tells all that did, and there
    is none where a combination of values is missing.
    """
    values = [sorted(set(column)) for column in zip(*lossless, strict=True)]
    if set(lossless) != set(itertools.product(*values)):
        return ""
    if len(names) == 1:
        return _stretch(names[0], values[0], [value for (value,) in lossless if lossless[value,]])
    swapped: dict[tuple[float, ...], bool] = {(b, a): is_lossless for (a, b), is_lossless in lossless.items()}
    both: list[list[tuple[int, str]]] = [
        _clauses(names, values, lossless),
        _clauses(names[::-1], values[::-1], swapped),
    ]
    # Few clauses, and the first of them as wide as may be.
    clauses = min(filter(None, both), key=lambda each: (len(each), -each[0][0]), default=[])
    return ", and ".join(clause for _, clause in clauses) if len(clauses) <= _MOST_CLAUSES else ""


def _clauses(
    names: Sequence[str], values: Sequence[Sequence[float]], lossless: Mapping[tuple[float, ...], bool]
) -> list[tuple[int, str]]:
    """A clause for each stretch of values of the first name with the same good values of the other, and its size.

    The widest comes first; there are none where the good values of one are no stretch.
    """
    good = {one: [other for other in values[1] if lossless[one, other]] for one in values[0]}
    sized = []
    for same, group in itertools.groupby(filter(good.get, values[0]), key=good.__getitem__):
        stretch = list(group)
        first, second = _stretch(names[0], values[0], stretch), _stretch(names[1], values[1], same)
        if not second:
            return []
        sized.append((len(stretch) * len(same), f"{first} with {second}"))
    return sorted(sized, key=lambda pair: -pair[0])


def _stretch(name: str, values: Sequence[float], chosen: Sequence[float]) -> str:
    """The *chosen* of the rising *values* in words; "" where there is none, or where they do not follow each other."""
    chosen = sorted(chosen)
    if not chosen or chosen != values[values.index(chosen[0]) :][: len(chosen)]:
        return ""
    low, high = chosen[0], chosen[-1]
    if len(chosen) == len(values):
        return f"every {name}"
    # Beyond what was tried nothing is known: no "or more".
    return f"{name} {low:g}" if low == high else f"{name} of {low:g} to {high:g}"
