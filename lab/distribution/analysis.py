"""All that can be said about what was read: the verdict, the shares, time, order and zones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lab.distribution.exposure import SETTLE, Stay
from lab.distribution.intervals import Share, dispersion_seen, shares
from lab.distribution.judgement import Judgement, judge_exposure, order_of
from lab.distribution.longer import LongerRun, longer_run
from lab.distribution.subject import Subject, expose
from lab.distribution.zones import Zones, by_zone
from lab.errors import BadInput
from lab.records.observations import Observations

__all__ = ["Analysis", "analyse"]


@dataclass(frozen=True, eq=False)
class Analysis:
    """The answers, and the `subject` that they are about; `shares` by host name."""

    source: str
    taken_for: str
    notes: tuple[str, ...]
    judgement: Judgement
    shares: tuple[Share, ...]
    longer_run: LongerRun | None
    zones: Zones | None
    subject: Subject

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: the judgement's at the top, then the rest by name."""
        judgement = asdict(self.judgement)
        return {
            "source": self.source,
            "taken_for": self.taken_for,
            "notes": list(self.notes),
            **judgement,
            "shares": [asdict(share) for share in self.shares],
            "longer_run": None if self.longer_run is None else asdict(self.longer_run),
            "zones": None if self.zones is None else asdict(self.zones),
        }


def analyse(
    observations: Observations,
    *,
    weights: Mapping[str, float] | None = None,
    detect: float = 0.05,
    entry: Mapping[str, float] | None = None,
    presence: Mapping[str, Stay] | None = None,
    settle: float = SETTLE,
) -> Analysis:
    """Judge what was read; see `judge` for most, `by_zone` for entry. Raises BadInput."""
    try:
        return _analyse(observations, weights, detect, entry, presence, settle)
    except BadInput as error:
        raise BadInput(f"{observations.source}, lines 1 to {observations.lines}: {error}") from None


def _analyse(
    observations: Observations,
    weights: Mapping[str, float] | None,
    detect: float,
    entry: Mapping[str, float] | None,
    presence: Mapping[str, Stay] | None,
    settle: float,
) -> Analysis:
    subject = expose(observations.counts, weights, observations.windows, presence, settle)
    exposure = subject.exposure
    found = order_of(exposure, observations.sequence)
    seen = dispersion_seen(exposure, found)
    judgement = judge_exposure(exposure, subject.hosts, detect, subject.unknown, found, seen=seen)
    longest = exposure.counts.sum(axis=1).argmax()
    return Analysis(
        source=observations.source,
        taken_for=observations.taken_for,
        notes=observations.notes,
        judgement=judgement,
        shares=tuple(sorted(shares(exposure, subject.hosts, seen), key=lambda share: share.host)),
        longer_run=longer_run(
            judgement.chi_square,
            judgement.degrees_of_freedom,
            int(exposure.counts.sum()),
            exposure.longest,
            exposure.shares[longest],
        ),
        zones=by_zone(subject, observations.zones, detect, entry, seen),
        subject=subject,
    )
