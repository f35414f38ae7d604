"""The table of all settings for docs/settings.md."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields

from serviceconnect.settings import Settings, written
from serviceconnect.settings.common import CommonSettings
from serviceconnect.settings.field import ANYTHING
from serviceconnect.settings.gateway import GatewaySettings
from serviceconnect.settings.load import LoadSettings
from serviceconnect.settings.network import NetworkSettings
from serviceconnect.settings.operations import OperationsSettings
from serviceconnect.settings.reading import CONTEXT_KEY, PREFIX
from serviceconnect.settings.service import ServiceSettings

__all__ = ["markdown"]

HEAD = f"""# Settings

Generated from `constructs/serviceconnect/settings/` by `make settings`; do not edit.

Each setting is a key of `context.{CONTEXT_KEY}` in `cdktf.json`, or an environment variable of its name in capitals
after `{PREFIX}` (`{PREFIX}DESIRED_COUNT=5 make synth`), which wins. In the environment a list is written with commas
between its entries, a map as `name=value` with commas between, or as JSON; an empty variable counts as not set.
"""


SECTIONS: dict[str, type] = {
    "The stack": CommonSettings,
    "Network": NetworkSettings,
    "Service": ServiceSettings,
    "Gateway": GatewaySettings,
    "Operations": OperationsSettings,
    "Load": LoadSettings,
}


def markdown() -> str:
    """The whole of docs/settings.md."""
    parts = [HEAD]
    for title, slice_ in SECTIONS.items():
        parts += [f"## {title}", "", "| setting | default | rule | meaning |", "|---|---|---|---|", *_rows(slice_), ""]
    return "\n".join(parts)


def _rows(slice_: type) -> Iterator[str]:
    for field in fields(Settings):
        if field.name not in slice_.__annotations__:
            continue
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        rule = field.metadata["rule"]
        cells = [
            f"`{field.name}`",
            f"`{written(default)}`" if written(default) else "",
            "" if rule is ANYTHING else rule.says,
            field.metadata["doc"],
        ]
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
