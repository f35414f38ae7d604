"""Synthesize a stack in this process, and find things in the JSON."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serviceconnect.program import find_node
from serviceconnect.settings import Settings
from serviceconnect.settings.reading import read
from serviceconnect.source import LOAD_TAG, load_image, service_image

if TYPE_CHECKING:
    from serviceconnect.stack import ServiceConnectStack

ROOT = Path(__file__).resolve().parents[2]
TAG = "0123456789ab"

# With a tag that does not change with the files.
SOURCES = (replace(service_image(ROOT, "X86_64"), tag=TAG), replace(load_image(ROOT, "X86_64"), tag=f"{LOAD_TAG}1"))

Json = dict[str, Any]
Synthesize = Callable[..., Json]
Add = Callable[["ServiceConnectStack"], object]


def synthesized(settings: Settings, endpoint_url: str = "", add: Add | None = None) -> str:
    """The text of cdk.tf.json for *settings*, with what *add* puts into the stack."""
    find_node()
    # It starts jsii's Node, which takes seconds: only where a stack is made.
    from cdktf import Testing as CdktfTesting

    from serviceconnect.stack import ServiceConnectStack

    context = json.loads((ROOT / "cdktf.json").read_text())["context"]
    with tempfile.TemporaryDirectory() as folder:  # CDKTF makes one of its own otherwise, and leaves it
        app = CdktfTesting.app(context=context, outdir=folder)
        stack = ServiceConnectStack(app, settings, *SOURCES, endpoint_url=endpoint_url)
        if add:
            add(stack)
        return str(CdktfTesting.synth(stack))


def synthesize_with(add: Add, **chosen: object) -> Json:
    """The stack of the settings with what *add* puts into it."""
    parsed: Json = json.loads(synthesized(Settings(**chosen), add=add))  # type: ignore[arg-type]
    return parsed


def everything_on() -> Settings:
    """Settings with every optional part on, as checkov sees them too."""
    return read({}, json.loads((ROOT / "tools/checkov/everything.json").read_text()))


def only(stack: Json, kind: str) -> Json:
    """The one resource of *kind*."""
    (resource,) = stack["resource"][kind].values()
    assert isinstance(resource, dict)
    return resource


def at(stack: Json, kind: str, path: str) -> Json:
    """The resource of *kind* whose construct's path within the stack is *path*."""
    resource = stack["resource"][kind][_name(stack, kind, path)]
    assert isinstance(resource, dict)
    return resource


def _name(stack: Json, kind: str, path: str) -> str:
    # CDKTF joins the path, drops repetitions and adds a hash, but not to what is not in a construct.
    parts = path.split("/")
    readable = "_".join(part for part, before in zip(parts, ["", *parts], strict=False) if part != before)
    (name,) = (name for name in stack["resource"][kind] if readable in (name, name.rpartition("_")[0]))
    return str(name)


def reference(stack: Json, kind: str, path: str, attribute: str) -> str:
    """Terraform's reference to *attribute* of the resource of *kind* at *path*."""
    return f"${{{address(stack, kind, path)}.{attribute}}}"


def address(stack: Json, kind: str, path: str) -> str:
    """The Terraform address of the resource of *kind* at *path*."""
    return f"{kind}.{_name(stack, kind, path)}"


def container(stack: Json) -> Json:
    """The definition of the service's container."""
    definition, *_ = json.loads(only(stack, "aws_ecs_task_definition")["container_definitions"])
    assert isinstance(definition, dict)
    return definition


def script(command: str) -> str:
    """The script that *command* of a provisioner runs: one that goes with the stack, as an asset."""
    found = re.fullmatch(r"sh assets/script-(\w+)/[0-9A-F]{32}/(\w+)\.sh", command)
    assert found
    assert found[1] == found[2]
    return found[1]


def statements(policy: str) -> list[Json]:
    """The statements of a *policy*."""
    found: list[Json] = json.loads(policy)["Statement"]
    return found


def texts(value: Any) -> Iterator[str]:
    """All texts in *value*, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield key
            yield from texts(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from texts(entry)
