"""The models of AWS's services that the SDK brings: megabytes of JSON."""

from __future__ import annotations

import functools
import gzip
import json
import os
from typing import Any

import botocore.loaders
import botocore.session
import moto.core.utils

__all__ = ["share_models"]


def share_models() -> None:
    """Let all of this process read the model of a service once.

    moto makes sessions of its own, half a dozen as it is imported, and has loaders of its own. botocore makes ordered
    dicts of the JSON, which takes longer than plain ones, and those keep their order too.
    """
    botocore.session.create_loader = functools.cache(botocore.session.create_loader)
    moto.core.utils.create_loader = functools.cache(moto.core.utils.create_loader)
    botocore.loaders.JSONFileLoader.load_file = staticmethod(functools.cache(_read_model))


def _read_model(path: str) -> Any:
    """The JSON in the file of this name, but for its suffix; None where there is none."""
    for suffix, opened in ((".json", open), (".json.gz", gzip.open)):
        if os.path.isfile(path + suffix):
            with opened(path + suffix, "rb") as file:
                return json.loads(file.read())
    return None
