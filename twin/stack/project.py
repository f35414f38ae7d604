"""The task definitions of a Terraform project, and the twin.toml that `twin init` writes of them.

Read are plain HCL with its modules, Terraform's JSON as CDKTF writes it, and what `terraform show -json` says of a plan
or a state. Plain HCL is read without Terraform: what follows from text is found, the rest is named as computed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin.errors import BadInput
from twin.stack.expansion import instances, names_of
from twin.stack.expressions import UNKNOWN, Names, evaluate, named
from twin.stack.hcl import Block, blocks_in, blocks_of, expression_of
from twin.tasks.container import port_of
from twin.tasks.program import command_of

__all__ = ["TaskDefinition", "task_definitions", "twin_toml"]

Json = Mapping[str, Any]
_TYPE = "aws_ecs_task_definition"
_MODULES = Path("modules/modules.json")  # of `terraform init`: where modules from elsewhere are
_DEEPEST = 8  # modules within modules
_NO_SOURCES = {"node_modules", "cdktf.out", "venv", "vendor"}
_FURTHEST = 3  # folders below the project's, in which a Dockerfile is looked for


@dataclass(frozen=True)
class TaskDefinition:
    """One that a project has.

    Attributes:
        where: its address, and its file.
        family: None: Terraform computes it.
        containers: each as in `containerDefinitions`, as far as they are known; None: nothing is.
    """

    where: str
    family: str | None
    containers: list[Json] | None


def task_definitions(project: Path) -> list[TaskDefinition]:
    """Those of *project*: a folder with Terraform's files or a `cdktf.out`, or one file of JSON. Each family once.

    Raises:
        BadInput: there is nothing of Terraform's, or it cannot be read.
    """
    if project.is_dir():
        found = [
            *_in_folder(project, project, _set(project), ()),
            *(each for file in _json_files(project) for each in _in_json(file)),
        ]
        if not found and not [*project.glob("*.tf"), *_json_files(project)]:
            raise BadInput(f"{project} has no *.tf and no cdktf.out: name a Terraform project, or a plan as JSON.")
    else:
        found = list(_in_json(project))
    families: dict[str, TaskDefinition] = {}
    for each in found:
        families.setdefault(each.family or each.where, each)
    return list(families.values())


def _json_files(folder: Path) -> list[Path]:
    synthesized = sorted(folder.glob("cdktf.out/stacks/*/cdk.tf.json")) or sorted(folder.glob("stacks/*/cdk.tf.json"))
    return [*sorted(folder.glob("*.tf.json")), *synthesized]


def _in_folder(
    project: Path, folder: Path, given: Mapping[str, Any], calls: tuple[str, ...]
) -> Iterator[TaskDefinition]:
    """Those of the `*.tf` of one module, whose variables are *given*, and of the modules that it calls."""
    files = blocks_of(folder)
    blocks = [block for _, file in files for block in file.blocks]
    local = {name: value for block in blocks if block.type == "locals" for name, value in block.arguments.items()}
    defaults = {
        block.labels[0]: evaluate(block.arguments["default"])
        for block in blocks
        if block.type == "variable" and block.labels and "default" in block.arguments
    }
    names = {"var": named({**defaults, **given}), "local": local}
    for file, content in files:
        for resource in content.of_type("resource", _TYPE):
            for within in _instances(resource, names):
                family = _evaluated(resource, "family", within)
                prefix = "".join(f"module.{call}." for call in calls)
                where = f"{prefix}{_TYPE}.{resource.labels[1]} in {file.name}"
                containers = _containers(_evaluated(resource, "container_definitions", within))
                yield TaskDefinition(where, family if isinstance(family, str) else None, containers)
    for module in (block for block in blocks if block.type == "module" and block.labels and len(calls) < _DEEPEST):
        called = (*calls, module.labels[0])
        source = _evaluated(module, "source", names)
        is_near = isinstance(source, str) and source.startswith(("./", "../"))
        there: Path | None = folder / source if is_near else _fetched(project, ".".join(called))
        if there is None or not there.is_dir():
            continue
        for within in _instances(module, names):
            arguments = {name: evaluate(value, within) for name, value in module.arguments.items()}
            yield from _in_folder(project, Path(os.path.normpath(there)), arguments, called)


def _set(project: Path) -> dict[str, Any]:
    """The variables that the project's own files set."""
    files = [project / "terraform.tfvars", *sorted(project.glob("*.auto.tfvars"))]
    values = (blocks_in(file).arguments for file in files if file.is_file())
    return {name: evaluate(value) for arguments in values for name, value in arguments.items()}


def _fetched(project: Path, key: str) -> Path | None:
    """Where `terraform init` has put the module of that key, which is its name after those of the modules around it."""
    try:
        modules = json.loads((project / os.environ.get("TF_DATA_DIR", ".terraform") / _MODULES).read_text())["Modules"]
        return next((project / module["Dir"] for module in modules if module["Key"] == key), None)
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _instances(block: Block, names: Names) -> Iterator[Names]:
    """The names of the instances of *block*: one for each of its `for_each`, if that is known."""
    each = evaluate(block.arguments.get("for_each", ("other", None)), names)
    if isinstance(each, list) and all(isinstance(item, str) for item in each):
        each = {item: item for item in each}
    if isinstance(each, dict):
        for key, value in each.items():
            yield {**names, "each": named({"key": key, "value": value})}
    elif evaluate(block.arguments.get("count", ("value", 1)), names) != 0:
        yield names


def _evaluated(block: Block, argument: str, names: Names) -> Any:
    return evaluate(block.arguments.get(argument, ("other", None)), names)


def _containers(value: Any) -> list[Json] | None:
    """The containers of `container_definitions`, which may be JSON as text; None: they are not known."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    if not isinstance(value, list):
        return None
    found = [item for item in value if isinstance(item, Mapping) and isinstance(item.get("name"), str)]
    return found if len(found) == len(value) else None


def _in_json(file: Path) -> Iterator[TaskDefinition]:
    """Those of a file of Terraform's JSON, of a plan or of a state.

    Raises:
        BadInput: it is none of these.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(
            f"{file} cannot be read as JSON ({str(error)[:200]}): give what `terraform show -json` says."
        ) from None
    content = content if isinstance(content, dict) else {}
    values = content.get("planned_values") or content.get("values")
    if isinstance(values, dict):
        for resource in _planned(values.get("root_module", {})):
            if resource.get("type") == _TYPE and resource.get("mode") == "managed":
                known = resource.get("values", {})
                containers = _containers(known.get("container_definitions"))
                yield TaskDefinition(f"{resource.get('address')} in {file.name}", known.get("family"), containers)
    elif isinstance(content.get("resource"), dict):
        names = names_of(content)
        for name, body in content["resource"].get(_TYPE, {}).items():
            body = body[0] if isinstance(body, list) and body else body
            for address, resource in instances(f"{_TYPE}.{name}", body, names) if isinstance(body, dict) else ():
                family, defined = _of_text(resource.get("family")), resource.get("container_definitions")
                containers = _containers(defined) or _containers(_of_text(defined))
                yield TaskDefinition(
                    f"{address} in {file.name}", family if isinstance(family, str) else None, containers
                )
    elif "terraform" not in content and "//" not in content:
        raise BadInput(
            f"{file} has neither resources nor a plan: give what `terraform show -json` says, or a cdk.tf.json."
        )


def _planned(module: Json) -> Iterator[Json]:
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from _planned(child)


def _of_text(value: Any) -> Any:
    return evaluate(expression_of(value)) if isinstance(value, str) else UNKNOWN


def twin_toml(found: Iterable[TaskDefinition], folder: Path) -> str:
    """The text of a twin.toml in *folder* that has a table for each container, to be filled in."""
    dockerfiles = list(_dockerfiles(folder))
    lines = [
        '# Which program is which container on this machine: docs/twin.md, "Programs". Of each table that is commented',
        "# out, say the command ({host} and {port} are filled in; HOST and PORT are set too) and take the # away.",
    ]
    for each in found:
        lines.append("")
        if each.family is None:
            lines.append(f"# {each.where}: Terraform computes its family. `twin ps` names it once it is applied.")
            continue
        if each.containers is None:
            lines += [
                f"# {each.where}: its containers are known once it is applied.",
                *_table(each.family, {}, dockerfiles, folder),
            ]
            continue
        serving = [container for container in each.containers if port_of(_known(container)) is not None]
        main = (serving or [c for c in each.containers if c.get("essential", True) is True] or each.containers)[:1]
        for container in each.containers:
            name = container["name"]
            alone = container in main and len(serving) < 2
            key = each.family if alone else f'"{each.family}/{name}"'
            lines += [f"# {_described(container)}: {each.where}", *_table(key, container, dockerfiles, folder), ""]
        lines.pop()
    return "\n".join(lines) + "\n"


def _known(container: Json) -> Json:
    mappings = container.get("portMappings", [])
    ports = (
        [m for m in mappings if isinstance(m, Mapping) and isinstance(m.get("containerPort"), int)]
        if isinstance(mappings, list)
        else []
    )
    return {"portMappings": ports}


def _described(container: Json) -> str:
    image, port = container.get("image"), port_of(_known(container))
    return "".join(
        [
            f"container {container['name']}",
            f", image {image}" if isinstance(image, str) and "${" not in image else "",
            f", port {port}" if port is not None else "",
        ]
    )


def _table(key: str, container: Json, dockerfiles: list[Path], folder: Path) -> list[str]:
    """The table of one container: with the CMD of its Dockerfile, its definition's own command, or to be filled in."""
    family = key.strip('"').partition("/")[0]
    image = container.get("image")
    repository = image.rpartition("/")[2].partition(":")[0].partition("@")[0] if isinstance(image, str) else None
    names = [container.get("name"), repository, family]
    for dockerfile in dockerfiles:
        if dockerfile.parent.name in names:
            return [f"[programs.{key}]", f"dockerfile = {json.dumps(str(dockerfile.relative_to(folder)))}"]
    own = [*_words(container.get("entryPoint")), *_words(container.get("command"))]
    if own:
        return [f"[programs.{key}]", f"# command = {json.dumps(own)}  # as its definition has it"]
    return [f"# [programs.{key}]", '# command = "..."', '# folder = "."  # where it runs, relative to this file']


def _words(value: Any) -> list[str]:
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []


def _dockerfiles(folder: Path) -> Iterator[Path]:
    """Those of the project that have a CMD, in folders near *folder*."""
    for at, folders, files in os.walk(folder):
        depth = len(Path(at).relative_to(folder).parts)
        hidden = (name for name in folders if name.startswith(".") or name in _NO_SOURCES)
        folders[:] = sorted(set(folders) - set(hidden)) if depth < _FURTHEST else []
        if "Dockerfile" in files:
            file = Path(at) / "Dockerfile"
            try:
                command_of(file)
            except (BadInput, UnicodeDecodeError):
                continue
            yield file
