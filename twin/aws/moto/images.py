"""AWS's public images (AMIs) as EC2 has them, made when they are first asked for.

moto makes hundreds as a Region is first used, each with a snapshot, and no task runs on one.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models import EC2Backend
from moto.ec2.models.amis import AmiBackend

__all__ = ["complete"]

_LATER = "public images are not made yet"


class _WithImages:
    """An attribute of a Region's store in which public images leave something: reading it makes them first."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, store: Any, owner: Any = None) -> Any:
        if vars(store).pop(_LATER, False):
            _LOAD(store)
        return vars(store)[self._name]

    def __set__(self, store: Any, value: Any) -> None:
        vars(store)[self._name] = value


def _load_later(store: Any) -> None:
    vars(store)[_LATER] = True


_LOAD: Any = AmiBackend._load_amis


def complete() -> None:
    """Put it on moto's class; a second call changes nothing."""
    AmiBackend._load_amis = _load_later
    for name in ("amis", "snapshots", "volumes"):
        setattr(EC2Backend, name, _WithImages(name))
