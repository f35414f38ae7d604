"""Which bindings the stack is synthesized with, and cheap imports of one AWS resource.

The stack is written for CDKTF, which ended in December 2025. With ``BINDINGS=cdktn`` in the environment the same
imports lead to its successor, which has the same classes under other names:
docs/decisions/0002-cdktf-and-its-successor.md.

CDKTF's ``cdktf_cdktf_provider_aws`` imports the bindings of every AWS service in its ``__init__``, which takes about
13 s, while a stack uses some forty of them. With a bare package object in its place only the submodules that are
imported are loaded; the synthesized JSON is the same. cdktn loads on demand itself.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from types import ModuleType

__all__ = ["choose"]

PACKAGE = "cdktf_cdktf_provider_aws"

# What the imports say, and where they lead.
SUCCESSOR = {"cdktf": "cdktn", PACKAGE: "cdktn_provider_aws"}


class _Successor(MetaPathFinder, Loader):
    """Finds modules of CDKTF as those of its successor."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname.partition(".")[0] in SUCCESSOR else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        package, dot, rest = spec.name.partition(".")
        return importlib.import_module(SUCCESSOR[package] + dot + rest)

    def exec_module(self, module: ModuleType) -> None:
        """It is imported already, under its own name."""


def choose() -> None:
    """Lead the imports to the bindings that the environment names. Idempotent."""
    if os.environ.get("BINDINGS") == "cdktn":
        if not any(isinstance(finder, _Successor) for finder in sys.meta_path):
            sys.meta_path.insert(0, _Successor())
        return
    if PACKAGE in sys.modules:
        return
    spec = find_spec(PACKAGE)
    if spec is not None:
        sys.modules[PACKAGE] = module_from_spec(spec)
