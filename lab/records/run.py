"""run.json and study.json, checked: what was asked for, what was done, and what ECS and Cloud Map said meanwhile.

Each type, size and range is checked here and nowhere else; times are seconds since the Unix epoch. Format 2 has
`unfinished`, `accidents` and rates as numbers; format 1, which has them not or as text, is still read.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from lab.errors import BadInput
from load.errors import LoadError
from load.rate import counted_seconds
from load.results import FORMAT, Run, is_known_format, read_meta, read_run

STUDY = "study.json"  # in the folder of several runs
_MOST_NAMED = 9  # of these, in an error
_LARGEST = 2**53  # counts are compared as floating-point numbers, which are exact up to here
_LATEST = 1e11  # seconds since the Unix epoch: the year 5138
_LONGEST = 32 * 86_400  # seconds from the first to the last of a run: what is drawn and searched second by second
_EARLY = 1.0  # seconds by which Locust's own timer may end a run before its time
_SHOWN = 60  # characters of a value in a message
_ANEW = "copy the folder anew from where it was made."


def _number_in_text(value: Any) -> Any:
    """Format 1 has options of Locust as they were typed; the empty text is none."""
    if isinstance(value, str):
        with suppress(ValueError):
            return float(value) if value.strip() else None
    return value


def _known_format(value: Any) -> Any:
    if not is_known_format(value):
        reads = f"this version reads {FORMAT} at most: read it with the version that wrote it, or a newer one."
        raise ValueError(f"is of format {_shown(value)}, and {reads}")
    return value


Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Seconds = Annotated[float, Field(strict=True, ge=0, le=_LATEST)]
Bytes = Annotated[float, Field(strict=True, ge=0, le=_LARGEST)]
Count = Annotated[int, Field(strict=True, ge=0, le=_LARGEST)]
Flag = Annotated[bool, Field(strict=True)]
Name = Annotated[str, Field(max_length=200)]
Folder = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]+$")]
Amount = Annotated[Seconds | None, BeforeValidator(_number_in_text)]


class _Record(BaseModel):
    # Most are parts of others: those alone that are read by themselves are built, when they are.
    model_config = ConfigDict(defer_build=True, extra="ignore", frozen=True)


class Fault(_Record):
    """What was done, from when to when (None: it has no end of its own), and to which tasks (ARNs) and hosts.

    discovery_age_s: how old the answer of Cloud Map was that the twin's gateway had at that moment.
    """

    kind: Name
    at: Seconds
    until: Seconds | None = None
    tasks: tuple[str, ...] = ()
    hostnames: tuple[str, ...] = ()
    detail: str = ""
    discovery_age_s: Amount = None


class TaskRecord(_Record):
    """A task as DescribeTasks describes it; times are None where it has not come so far."""

    arn: str
    hostname: str
    availability_zone: str = ""
    task_definition: str
    last_status: str
    desired_status: str
    health: str
    created_at: Seconds
    started_at: Seconds | None = None
    stopping_at: Seconds | None = None
    execution_stopped_at: Seconds | None = None  # its containers had ended; older runs do not say
    stopped_at: Seconds | None = None
    stop_code: str | None = None
    stopped_reason: str | None = None
    exit_codes: dict[str, int] = {}  # by container, of those that have ended; older runs do not say

    @property
    def id(self) -> str:
        return self.arn.rsplit("/", 1)[-1]

    @property
    def host(self) -> str:
        """The host name as short as a page has it."""
        return self.hostname.partition(".")[0]

    @property
    def is_running(self) -> bool:
        """Running, and to go on."""
        return self.last_status == "RUNNING" and self.desired_status == "RUNNING"


class EventRecord(_Record):
    """An event of the service."""

    at: Seconds
    message: str


class DeploymentRecord(_Record):
    """A deployment as DescribeServices describes it."""

    id: str
    status: str
    task_definition: str
    rollout_state: str = ""
    rollout_reason: str = ""
    failed_tasks: Count = 0
    created_at: Seconds
    updated_at: Seconds


class Discovered(_Record):
    """The instances (ids, which are those of the tasks) in Cloud Map from `at` on; None: it did not answer."""

    at: Seconds
    instances: tuple[str, ...] | None


class Accident(_Record):
    """What the twin itself lost, such as a proxy: no finding about AWS."""

    at: Seconds
    what: str


class LostWorker(_Record):
    """A worker of Locust of whose requests some are in no count: `requests`, as far as it is known.

    Those of a worker that is gone are what it counted until `last_heard`; in runs of older versions, which have no such
    time, an estimate.
    """

    worker: str
    last_report: Seconds
    last_heard: Seconds | None = None
    requests: Count


class TaskSettings(_Record):
    """Of the service's task definition, in seconds; `deregistration_delay`: of its target groups, 0 without any."""

    drain_seconds: Seconds = 0.0
    stop_timeout: Seconds = 30.0
    deregistration_delay: Seconds = 0.0


class ExperimentRecord(_Record):
    """Which experiment a run is of, on which `hop`; `arm` is the way to the tasks, `assumed` the twin's parameters.

    outputs: the file that `--target` named.
    """

    name: Name | None = None
    hop: Name = "gateway"
    arm: Literal["direct", "alb", "client-proxy"] = "direct"
    parameters: dict[str, Number] = {}
    repeat: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = 1
    task: TaskSettings = Field(default_factory=TaskSettings)
    assumed: dict[str, Flag | Number | str | None] | None = None
    outputs: Folder | None = None


class SettingsRecord(_Record):
    """What Locust was asked for; `rate` in requests per second, None for a closed loop. `group_by`: a key of counts."""

    rate: Amount = None
    region: str | None = None
    run_time_s: Amount = None
    path_mix: str | None = None
    group_by: str | None = None
    shape: str | None = None


class RunRecord(_Record):
    """run.json. A run of Locust alone has neither experiment nor faults; one that was killed has no totals."""

    format: int = 1
    complete: Flag = False
    interrupted: Flag = False  # its load, by Ctrl-C or SIGTERM to `lab run`
    target: str | None = None
    users: Count | None = None
    settings: Annotated[SettingsRecord, BeforeValidator(lambda v: {} if v is None else v)] = Field(
        default_factory=SettingsRecord
    )
    versions: dict[str, str] = {}
    start: Seconds | None = None
    end: Seconds | None = None
    duration_s: Seconds | None = None
    requests: Count | None = None
    failures: Count | None = None
    unfinished: Count | None = None
    due: Count | None = None
    resets: tuple[Seconds, ...] = ()
    workers_lost: tuple[LostWorker, ...] = ()
    response_bytes_mean: Bytes | None = None
    request_bytes_mean: Bytes | None = None
    experiment: ExperimentRecord = Field(default_factory=ExperimentRecord)
    faults: tuple[Fault, ...] = ()
    tasks: tuple[TaskRecord, ...] = ()
    events: tuple[EventRecord, ...] = ()
    deployments: tuple[DeploymentRecord, ...] = ()
    discovery: tuple[Discovered, ...] = ()
    accidents: tuple[Accident, ...] = ()

    @property
    def fault(self) -> Fault | None:
        """The one that times are counted from."""
        return self.faults[0] if self.faults else None

    @property
    def tasks_at_start(self) -> int:
        """The tasks that there were as the load began, but for those that were being stopped."""
        start = self.start or 0.0
        return sum(
            task.created_at <= start and (task.stopping_at is None or task.stopping_at > start) for task in self.tasks
        )

    @property
    def ended_early(self) -> bool:
        """Whether the load is known to have ended before the time that was asked for."""
        asked, lasted = self.settings.run_time_s, self.duration_s
        if lasted is not None and self.start is not None and self.end is not None:
            # Locust's timer runs from the start of the test, which is before the first users.
            lasted = max(lasted, self.end - self.start)
        return bool(asked) and lasted is not None and lasted < (asked or 0) - _EARLY

    @property
    def is_whole(self) -> bool:
        """Whether the load came to its end: neither killed, nor ended before its time."""
        return self.complete and not self.ended_early and (not self.settings.run_time_s or self.duration_s is not None)

    @property
    def counted_s(self) -> float | None:
        """Seconds for which requests were counted, where run.json says how long it was."""
        if self.duration_s is None or self.end is None:
            return self.duration_s
        return counted_seconds(self.duration_s, self.end, self.resets)

    @property
    def asked_rate(self) -> float | None:
        """Requests/s that the load was asked for, on average where it has a shape; None for a closed loop.

        Nor does an older run with a shape say it.
        """
        rate = self.settings.rate or None
        if not rate or self.settings.shape in (None, "constant"):
            return rate
        return round(self.due / self.counted_s, 1) if self.due and self.counted_s else None


def presence_of(record: RunRecord) -> dict[str, tuple[float | None, float | None]]:
    """From when to when each host was in Cloud Map, as the run watched it; None where that lies outside of the watch.

    Left out are names that two tasks had, one after the other, and all hosts where the way is not through Cloud Map.
    """
    known = [change for change in record.discovery if change.instances is not None]
    if record.experiment.arm != "direct" or not known:
        return {}
    hosts = Counter(task.hostname for task in record.tasks)
    found: dict[str, tuple[float | None, float | None]] = {}
    for task in record.tasks:
        there = [number for number, change in enumerate(known) if task.id in (change.instances or ())]
        if there and hosts[task.hostname] == 1:
            since = known[there[0]].at if there[0] > 0 else None
            until = known[there[-1] + 1].at if there[-1] + 1 < len(known) else None
            found[task.hostname] = since, until
    return found


class StudyRecord(_Record):
    """study.json: the folders of its runs or of studies, what was left out and why, and the command."""

    format: Annotated[int, BeforeValidator(_known_format)] = 1
    runs: Annotated[tuple[Folder, ...], Field(min_length=1)]
    left_out: dict[str, str] = {}
    command: str | None = None


def read_folder(path: Path) -> Run:
    """The run in a folder, with all of its files checked.

    Raises BadInput: a file is absent, cut off, or has a value of the wrong type or size; or it is that of a study.
    """
    if (path / STUDY).is_file() and not (path / "run.json").exists():
        runs = [os.path.normpath(path / name) for name in read_study_record(path / STUDY).runs]
        raise BadInput(f"{path} is the folder of a study, and one run is asked for: {_listed(runs)}.")
    if not (path / "hostnames.csv").exists():
        for name, what in ((STUDY, "studies"), ("run.json", "some")):  # a study has runs that lie beside it
            if within := sorted(str(file.parent) for file in path.glob(f"*/{name}")):
                raise BadInput(f"{path} is no run, but has {what}: {_listed(within)}.")
    run = loaded(read_run, path)
    _require_span(path / "timeline.csv", (row.second for row in run.timeline))
    _require_span(path / "latency.csv", (row.second for row in run.latency))
    record = record_of(run)
    if record.fault and run.timeline:
        at, first, last = record.fault.at, run.timeline[0].second, run.timeline[-1].second
        if not first - _LONGEST <= at <= last + _LONGEST:
            raise BadInput(f"{path / 'run.json'}: faults.0.at = {at:g} is no time of this run ({first} to {last}).")
    return run


def _listed(folders: Iterable[str]) -> str:
    names = list(folders)
    more = [f"{len(names) - _MOST_NAMED} more"] if len(names) > _MOST_NAMED else []
    return ", ".join([*names[:_MOST_NAMED], *more])


def _require_span(file: Path, seconds: Iterable[int]) -> None:
    known = list(seconds)
    if known and (max(known) > _LATEST or max(known) - min(known) > _LONGEST):
        raise BadInput(
            f"{file}: its seconds go from {min(known)} to {max(known)}, and a run has {_LONGEST:,} at most: {_ANEW}"
        )


def record_of(run: Run) -> RunRecord:
    """What run.json of *run* has. Raises BadInput for a value of the wrong type or size."""
    return _checked(RunRecord.model_validate, run.meta, run.path / "run.json")


def record_in(folder: Path) -> RunRecord:
    """What run.json in *folder* has, whatever its other files are. Raises BadInput as `record_of` does."""
    return _checked(RunRecord.model_validate, loaded(read_meta, folder), folder / "run.json")


def read_study_record(file: Path) -> StudyRecord:
    """What a study.json has. Raises BadInput where it cannot be read, is of a newer format, or has a wrong value."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise BadInput(f"{file} cannot be read ({(error.strerror or str(error)).lower()}).") from None
    return _checked(StudyRecord.model_validate_json, content, file)


_T = TypeVar("_T")
_From = TypeVar("_From")


def loaded(read: Callable[[Path], _T], path: Path) -> _T:
    """What a reader of `load` reads, whose errors become BadInput."""
    try:
        return read(path)
    except LoadError as error:
        raise BadInput(str(error)) from None


def _checked(validate: Callable[[_From], _T], content: _From, file: Path) -> _T:
    try:
        return validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"] == "json_invalid":
            raise BadInput(f"{file} is not JSON ({first['ctx']['error']}).") from None
        if first["type"] == "value_error":  # one of ours
            raise BadInput(f"{file} {first['ctx']['error']}") from None
        where = ".".join(map(str, first["loc"])) or "the whole of it"
        value = "" if first["type"] == "missing" else f" = {_shown(first['input'])}"
        what = f"{first['msg'][0].lower()}{first['msg'][1:]}"
        raise BadInput(f"{file}: {where}{value} is not as `lab run` and Locust write it ({what}): {_ANEW}") from None
    except RecursionError:
        raise BadInput(f"{file}: its JSON is nested deeper than `lab run` writes it: {_ANEW}") from None


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of too many digits
        text = type(value).__name__
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
