"""Two services that find each other: the stack, and `caller`, which calls the stack's service by its client alias.

    python examples/services/main.py        # or `make synth-services`: cdktf.out/services

The API has one route more than the stack's own: ``GET /call`` leads to `caller`. So the same tasks are reached in two
ways: by API Gateway's discovery (``GET /hostname``), and by the client proxy in each of the caller's tasks.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from serviceconnect.program import synthesize

if TYPE_CHECKING:
    from serviceconnect.stack import ServiceConnectStack

ROOT = Path(__file__).resolve().parents[2]


def services(stack: ServiceConnectStack) -> None:
    """Put `caller` into *stack*."""
    from serviceconnect.additional_service import AdditionalService, AdditionalServiceProps

    # With another environment of cdktf.json, as with ENV=prod, the stack's name has a suffix: caller-prod.
    suffix = stack.settings.name.removeprefix("serviceconnect").removeprefix("-")
    caller = stack.settings.beside(f"caller-{suffix}" if suffix else "caller", desired_count=2)
    AdditionalService(
        stack,
        "caller",
        AdditionalServiceProps(
            settings=caller,
            source=stack.source,  # the same program, in a repository of its own
            calls=[stack.workload],
            routes=["GET /call"],
        ),
    )


if __name__ == "__main__":
    synthesize(ROOT, services)
