"""CloudWatch alarms, as far as the twin has their metrics: API Gateway's counts of answers, by the minute.

Pure but for the counts that are recorded. Sources: CloudWatch's user guide, "Evaluating an alarm" (M out of N data
points, missing data) and "Using math expressions"; API Gateway's developer guide, "Working with metrics for HTTP APIs"
(names and dimensions). Assumed: the points looked at are the last N; CloudWatch goes back further if some are missing.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from twin.aws.metrics import MINUTE, STATISTICS, Key, Metrics

__all__ = ["Alarm", "Query", "compute", "evaluate", "latest", "unknown"]

_OPERATORS: Mapping[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


@dataclass(frozen=True)
class Query:
    """A metric with its statistic, or an expression over the ids of others."""

    id: str
    metric: Key | None = None
    statistic: str = "Sum"
    expression: str = ""
    returns: bool = True


@dataclass(frozen=True)
class Alarm:
    """`PutMetricAlarm`, as far as it is looked at."""

    name: str
    queries: tuple[Query, ...]
    comparison: str
    threshold: float
    period: int  # seconds
    evaluation_periods: int
    datapoints_to_alarm: int
    treat_missing_data: str = "missing"


def unknown(alarm: Alarm, counts: Metrics) -> str | None:
    """Why the twin does not compute the state of *alarm*; None if it does."""
    for query in alarm.queries:
        if query.metric is None:
            try:
                _check(query.expression)
            except ValueError as error:
                return f"the expression {query.expression!r} has {error}"
        elif query.metric not in counts.minutes:
            namespace, name, _ = query.metric
            return f"the twin keeps no metric {namespace} {name} with these dimensions"
        elif query.statistic not in STATISTICS:
            return f"the twin keeps no statistic {query.statistic}"
    if alarm.period % MINUTE or alarm.comparison not in _COMPARISONS:
        return f"period {alarm.period}, comparison {alarm.comparison}"
    return None


def evaluate(alarm: Alarm, counts: Metrics, now: float, state: str) -> tuple[str, str]:
    """The state that *alarm* has at *now*, where it had *state* before, and the reason, from whole periods alone."""
    end = now // alarm.period * alarm.period
    starts = [end - alarm.period * (number + 1) for number in range(alarm.evaluation_periods)]
    points = [_point(alarm, counts, start) for start in starts]
    compare = _COMPARISONS[alarm.comparison]
    known = [point for point in points if point is not None]
    if not known and alarm.treat_missing_data == "ignore":
        return state, "no datapoints were received, which is ignored."
    if not known and alarm.treat_missing_data not in ("breaching", "notBreaching"):
        return "INSUFFICIENT_DATA", "no datapoints were received."
    missing = len(points) - len(known) if alarm.treat_missing_data == "breaching" else 0
    breaching = sum(compare(point, alarm.threshold) for point in known) + missing
    reason = (
        f"{breaching} of the last {len(points)} datapoints {_listed(known)} breach the threshold ({alarm.threshold})."
    )
    return ("ALARM" if breaching >= alarm.datapoints_to_alarm else "OK"), reason


def latest(alarm: Alarm, counts: Metrics, now: float) -> float | None:
    """The data point of the last whole period before *now*; None if it is missing."""
    return _point(alarm, counts, (now // alarm.period - 1) * alarm.period)


def _listed(points: Sequence[float]) -> str:
    return f"[{', '.join(f'{point:g}' for point in points)}]"


def _point(alarm: Alarm, counts: Metrics, start: float) -> float | None:
    values: dict[str, float | None] = {}
    for query in alarm.queries:
        if query.metric is not None:
            values[query.id] = counts.value(query.metric, start, alarm.period, query.statistic)
    for query in alarm.queries:
        if query.metric is None:
            values[query.id] = compute(query.expression, values)
    returned = [query.id for query in alarm.queries if query.returns]
    return values.get(returned[-1]) if returned else None


def compute(expression: str, values: Mapping[str, float | None]) -> float | None:
    """The value of an *expression* over ids.

    Raises:
        ValueError: it has more than numbers, ids, parentheses, + - * / and FILL(id, number); the text says what.
    """
    _check(expression)
    return _computed(ast.parse(expression, mode="eval").body, values)


def _computed(node: ast.expr, values: Mapping[str, float | None]) -> float | None:
    """The value of *node*; None where a metric has none, and where it divides by zero, as CloudWatch has it."""
    match node:
        case ast.Constant(value):
            return float(value)  # type: ignore[arg-type]  # a number, or _check had refused it
        case ast.Call(_, [metric, instead]):
            found = _computed(metric, values)
            return _computed(instead, values) if found is None else found
        case ast.Name(name):
            return values.get(name)
        case ast.UnaryOp(_, operand):
            inner = _computed(operand, values)
            return None if inner is None else -inner
        case ast.BinOp(left, kind, right):
            one, other = _computed(left, values), _computed(right, values)
            if one is None or other is None or (isinstance(kind, ast.Div) and other == 0):
                return None
            return _OPERATORS[type(kind)](one, other)
    raise AssertionError(node)


def _check(expression: str) -> None:
    """Nothing, if *expression* has numbers, ids, parentheses, + - * / and FILL(id, number) alone.

    Raises:
        ValueError: it has something else; the text says what.
    """
    try:
        nodes = list(ast.walk(ast.parse(expression, mode="eval").body))
    except (SyntaxError, RecursionError, MemoryError):
        raise ValueError("a form that the twin does not read") from None
    for node in nodes:
        match node:
            case ast.Constant(value) if type(value) in (int, float):
                continue
            case ast.UnaryOp(ast.USub(), _):
                continue
            case ast.Call(ast.Name("FILL"), [ast.Name(), ast.Constant(value)], []) if type(value) in (int, float):
                continue
        if not isinstance(node, (ast.Name, ast.BinOp, ast.Load, ast.USub, *_OPERATORS)):
            raise ValueError("more than numbers, ids, + - * / and FILL(id, number)")
