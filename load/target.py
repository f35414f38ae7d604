"""The service that is loaded, as an outputs file describes it: `cdktf deploy --outputs-file`, or the twin's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from load.errors import BadOption

__all__ = ["Target", "read_outputs"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go: the gateway's URL, and what it wants to see; "" where the file does not say."""

    gateway_url: str
    region: str
    authorization: str


def read_outputs(path: Path) -> Target:
    """The one stack with a gateway in an outputs file: `{"<stack>": {"gateway_url": ..., "region": ...}}`.

    Raises BadOption.
    """
    try:
        stacks = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadOption(
            f"--outputs {path}: {(error.strerror or str(error)).lower()}; `cdktf deploy --outputs-file` writes it."
        ) from None
    except ValueError:
        raise BadOption(f"--outputs {path}: not JSON; `cdktf deploy --outputs-file` writes it.") from None
    values = list(stacks.values()) if isinstance(stacks, dict) else []
    gateways = [stack for stack in values if isinstance(stack, dict) and stack.get("gateway_url")]
    if len(gateways) != 1:
        raise BadOption(f"--outputs {path}: one stack with a gateway_url is needed, there are {len(gateways)}.")
    (stack,) = gateways
    return Target(
        str(stack["gateway_url"]).rstrip("/"), str(stack.get("region", "")), str(stack.get("authorization", ""))
    )
