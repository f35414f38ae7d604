"""Where the service under test is: the outputs file that `cdktf deploy --outputs-file` and `twin up` write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import BadInput

__all__ = ["Target", "read_target"]

_NEEDED = ("gateway_url", "region", "cluster_name", "service_name")
_OPTIONAL = ("namespace_name", "discovery_name", "comparison_url", "aws_endpoint_url")


@dataclass(frozen=True)
class Target:
    """A deployed stack, by its outputs `file`.

    `aws_endpoint_url` is there where it is a twin, `comparison_url` where the same tasks have a load balancer too.
    """

    file: Path
    stack: str
    gateway_url: str
    region: str
    cluster_name: str
    service_name: str
    namespace_name: str | None = None
    discovery_name: str | None = None
    comparison_url: str | None = None
    aws_endpoint_url: str | None = None

    @property
    def is_twin(self) -> bool:
        """Whether it is on this machine, where more can be done to it than AWS's API offers."""
        return self.aws_endpoint_url is not None


def read_target(path: Path) -> Target:
    """The target that an outputs file names.

    Raises:
        BadInput: the file is absent or malformed, holds other than one stack, or lacks an output.
    """
    try:
        outputs = json.loads(path.read_text())
    except FileNotFoundError:
        raise BadInput(
            f"{path} is not there: start the twin with `twin up`, or deploy with `make deploy`, and name the outputs "
            "file with --target."
        ) from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}): name the outputs file with --target.") from None
    except ValueError as error:
        raise BadInput(f"{path} is not JSON ({error}): name the outputs file with --target.") from None
    if not isinstance(outputs, dict) or len(outputs) != 1:
        raise BadInput(f"{path} must be an object with one stack in it: name the outputs file of one with --target.")
    stack, values = next(iter(outputs.items()))
    missing = [name for name in _NEEDED if not (isinstance(values, dict) and isinstance(values.get(name), str))]
    if missing:
        raise BadInput(f"{path}: the stack {stack} has no output {', '.join(missing)}; is it this project's stack?")
    return Target(path, stack, **_known(values))


def _known(values: Mapping[str, Any]) -> dict[str, str]:
    found = {name: values[name] for name in (*_NEEDED, *_OPTIONAL) if isinstance(values.get(name), str)}
    return {name: value.rstrip("/") if name.endswith("_url") else value for name, value in found.items()}
