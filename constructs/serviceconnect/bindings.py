"""Make importing one AWS resource cheap.

The ``__init__`` of ``cdktf_cdktf_provider_aws`` imports the bindings of every AWS service, which takes about
13 s, while a stack uses some forty of them. With a bare package object in its place only the submodules that
are imported are loaded; the synthesized JSON is the same. cdktn, the successor of CDKTF, loads on demand itself.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec

__all__ = ["load_on_demand"]

PACKAGE = "cdktf_cdktf_provider_aws"


def load_on_demand() -> None:
    """Put the bindings' package into ``sys.modules`` without running its ``__init__``. Idempotent."""
    if PACKAGE in sys.modules:
        return
    spec = find_spec(PACKAGE)
    if spec is not None:
        sys.modules[PACKAGE] = module_from_spec(spec)
