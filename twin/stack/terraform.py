"""The synthesized stack as a value: reads Terraform's JSON as CDKTF writes it, and orders its resources.

Source: https://developer.hashicorp.com/terraform/language/syntax/json
"""

from __future__ import annotations

import contextlib
import json
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from twin.errors import BadStack
from twin.gaps import Gap
from twin.stack.expansion import bind, instances, names_of
from twin.stack.expressions import Names
from twin.stack.limits import LARGEST_FILE, check_container_definitions, check_sections, check_service, check_values
from twin.stack.references import NotEvaluated, Reference, mentioned, resolve

__all__ = ["Resource", "Stack", "load_stack", "read_stack"]

# What Terraform itself reads of a resource's block; no provider sees these.
_META_ARGUMENTS = {"connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioner"}

_NEEDED = {
    "aws_ecs_task_definition": "what a task runs",
    "aws_ecs_service": "whose tasks the twin runs",
}
_WAYS_IN = ("aws_apigatewayv2_api", "aws_lb", "aws_alb")
_NAME = re.compile(r"[A-Za-z_][\w-]{0,255}")
_STACK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}")


@dataclass(frozen=True)
class Resource:
    """A resource, data source or module, with the arguments as in the JSON; Terraform's own are apart, in `meta`."""

    address: str
    arguments: Mapping[str, Any]
    meta: Mapping[str, Any]

    @property
    def type(self) -> str:
        """`aws_vpc`; of a data source `data.aws_region`; of a module `module`."""
        return self.address.partition("[")[0].rpartition(".")[0]

    @property
    def depends_on(self) -> tuple[str, ...]:
        return tuple(self.meta.get("depends_on", ()))

    def references(self) -> tuple[Reference, ...]:
        """All references in the arguments that the twin evaluates."""
        found: list[Reference] = []
        for argument, value in self.arguments.items():
            with contextlib.suppress(NotEvaluated):
                resolve({argument: value}, self.address, found.append)
        return tuple(found)


@dataclass(frozen=True)
class Stack:
    """A synthesized stack.

    `resources` holds resources, data sources and modules by address (`aws_vpc.main`, `data.aws_region.now`,
    `aws_subnet.main[0]`), `repeated` the addresses of those that have `count` or `for_each`, `outputs` the values as
    the JSON has them, references unresolved; `region` and `default_tags` are the AWS provider's.
    """

    name: str
    region: str
    default_tags: Mapping[str, Any]
    resources: Mapping[str, Resource]
    outputs: Mapping[str, Any]
    repeated: frozenset[str] = frozenset()

    def instances(self, address: str) -> Mapping[int | str, str]:
        """The addresses of the instances of a repeated resource, by index or key."""
        found = (at for at in self.resources if at.startswith(f"{address}["))
        return {json.loads(at[len(address) + 1 : -1]): at for at in found}

    def of_type(self, type: str) -> tuple[Resource, ...]:
        return tuple(resource for resource in self.resources.values() if resource.type == type)

    def families(self) -> list[str]:
        """The families of its task definitions, as far as they are there as text."""
        names = (definition.arguments.get("family") for definition in self.of_type("aws_ecs_task_definition"))
        return list(dict.fromkeys(name for name in names if isinstance(name, str) and "${" not in name))

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What it lacks to be reached from outside."""
        if not self.resources or any(self.of_type(type) for type in _WAYS_IN):
            return ()
        why = "it has no HTTP API and no load balancer, so the gateway answers 404"
        return (Gap(f"stack {self.name}", "", why),)

    def in_order(self) -> tuple[Resource, ...]:
        """The resources, each after all that it refers to or names in `depends_on`; BadStack for a cycle.

        ECS services come first, and what they need: their tasks start while the rest is deployed.
        """
        graph = {address: self._needs(resource) for address, resource in self.resources.items()}
        try:
            order = tuple(TopologicalSorter(graph).static_order())
        except CycleError as error:
            raise BadStack(
                f"The resources of {self.name} depend on each other in a circle ({' -> '.join(error.args[1])}): "
                "take one of these references out."
            ) from None
        first: set[str] = set()
        for address in reversed(order):  # each before what it needs
            if address in first or self.resources[address].type == "aws_ecs_service":
                first |= {address, *graph[address]}
        return tuple(self.resources[address] for address in sorted(order, key=lambda address: address not in first))

    def _needs(self, resource: Resource) -> list[str]:
        for address in resource.depends_on:
            if address not in self.resources and address not in self.repeated:
                raise BadStack(f"{resource.address}, argument depends_on: the stack has no {address}.")
        # Expressions that the twin refuses count too: what it passes over still stands between what it deploys.
        needed: list[str] = []
        for name in (*mentioned(resource.arguments), *resource.depends_on):
            needed += self.instances(name).values() if name in self.repeated else [name]
        return [address for address in needed if address in self.resources]


def load_stack(synth: Path, region: str | None = None) -> Stack:
    """Read the one stack in a folder that `cdktf synth` wrote (`cdktf.out`), or a single cdk.tf.json.

    BadStack if it is absent, malformed, too large for this machine, or has nothing that could serve. *region* is that
    of a provider which names none, as AWS_REGION is for Terraform.
    """
    file = _only_stack(synth) if synth.is_dir() else synth
    return read_stack(_read_json(file), file, region)


def read_stack(content: Mapping[str, Any], file: Path, region: str | None = None) -> Stack:
    """The stack that *content*, Terraform's JSON, holds; messages name *file*. Raises as `load_stack` does."""
    stack = _stack(content, file, region)
    _check_complete(stack, file)
    for service in stack.of_type("aws_ecs_service"):
        check_service(service.address, service.arguments)
    for definition in stack.of_type("aws_ecs_task_definition"):
        check_container_definitions(definition.address, definition.arguments)
    stack.in_order()
    return stack


def _only_stack(folder: Path) -> Path:
    manifest = folder / "manifest.json"
    stacks = {
        name: _block(entry).get("synthesizedStackPath") for name, entry in _section(_read_json(manifest), "stacks")
    }
    match list(stacks.values()):
        case [str(path)]:
            return folder / path
        case [str(path), *_]:
            raise BadStack(
                f"{folder} holds {len(stacks)} stacks ({', '.join(stacks)}) and the twin runs one: "
                f"name its file, as in --synth {folder / path}."
            )
        case _:
            raise BadStack(f"{manifest} names no stack: run `make synth` again.")


def _read_json(file: Path) -> Mapping[str, Any]:
    try:
        if not stat.S_ISREG((found := file.stat()).st_mode):  # to read a pipe may take for ever
            raise BadStack(f"{file} is no file: name a cdktf.out or a cdk.tf.json with --synth.")
        if (size := found.st_size) > LARGEST_FILE:
            raise BadStack(f"{file} has {size} bytes, and no stack needs more than {LARGEST_FILE}: is it one?")
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadStack(f"{file} does not exist: run `make synth`, or name a synthesized stack with --synth.") from None
    except json.JSONDecodeError as error:
        raise BadStack(
            f"{file} is not JSON (line {error.lineno}, column {error.colno}: {error.msg}): run `make synth` again."
        ) from None
    except RecursionError:
        raise BadStack(f"{file} is nested too deeply: run `make synth` again.") from None
    except (OSError, ValueError) as error:  # no UTF-8, or a number of thousands of digits
        raise BadStack(f"{file} cannot be read ({str(error).partition(';')[0]}): run `make synth` again.") from None
    if not isinstance(content, dict):
        raise BadStack(f"{file} holds no JSON object: name a cdktf.out or a cdk.tf.json with --synth.")
    if wrong := check_values(content):
        raise BadStack(f"{file} cannot be used, for {wrong}: run `make synth` again.")
    return content


def _stack(content: Mapping[str, Any], file: Path, default_region: str | None) -> Stack:
    if "planned_values" in content or "values" in content:
        raise BadStack(
            f"{file} is a plan or a state, which has lost the expressions between resources: run "
            "`twin up --empty -- terraform apply -auto-approve` in the project. `twin init` takes it."
        )
    if "resource" not in content:
        raise BadStack(f"{file} is no Terraform JSON with resources: name a cdktf.out or a cdk.tf.json with --synth.")
    check_sections(str(file), content)
    names = names_of(content)
    provider = bind(_provider(content), names)
    metadata = _block(_block(content.get("//")).get("metadata"))
    resources = [
        *_resources("", _block(content["resource"]), names, file),
        *_resources("data.", _block(content.get("data")), names, file),
        *_resources("", {"module": _block(content.get("module"))}, names, file),
    ]
    repeated = (each.address.partition("[")[0] for each in resources if "[" in each.address)
    return Stack(
        name=_stack_name(metadata, file),
        region=_region(provider.get("region", default_region), file),
        default_tags=_block(_block(provider.get("default_tags")).get("tags")),
        resources={resource.address: resource for resource in resources},
        outputs={name: bind(_block(output).get("value"), names) for name, output in _section(content, "output")},
        repeated=frozenset(repeated),
    )


def _stack_name(metadata: Mapping[str, Any], file: Path) -> str:
    name = metadata.get("stackName", "stack")
    if not isinstance(name, str) or not _STACK_NAME.fullmatch(name):
        raise BadStack(
            f"{file}: stackName is {json.dumps(name)[:100]}: it must be up to 128 letters, digits, dots, "
            "underscores and hyphens, the first of them a letter or digit."
        )
    return name if "stackName" in metadata else file.absolute().parent.name


def _provider(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The AWS provider that resources use unless they name another; empty, as for Terraform, if there is none."""
    configured = _block(content.get("provider")).get("aws", [])
    providers = configured if isinstance(configured, list) else [configured]
    return next((each for each in providers if isinstance(each, Mapping) and "alias" not in each), {})


def _region(region: Any, file: Path) -> str:
    if isinstance(region, str) and _REGION.fullmatch(region):
        return region
    if region is None:
        raise BadStack(f'{file}: the provider "aws" names no region: add it and run `make synth`, or set AWS_REGION.')
    raise BadStack(
        f'{file}: the provider "aws" needs the name of a region, such as "eu-west-2", not {repr(region)[:100]}.'
    )


def _resources(prefix: str, by_type: Mapping[str, Any], names: Names, file: Path) -> Iterator[Resource]:
    for type in by_type:
        for name, body in _section(by_type, type):
            address = f"{prefix}{type}.{name}"
            depends_on = _block(body).get("depends_on", [])
            if not isinstance(body, Mapping) or not _are_texts(depends_on) or not _NAME.fullmatch(name):
                raise BadStack(f"{file}: {address[:200]} is no block as CDKTF writes it; run `make synth` again.")
            for at, arguments in instances(address, _without_comments(body), names):
                rest = {key: value for key, value in arguments.items() if key not in _META_ARGUMENTS}
                yield Resource(at, rest, {key: arguments[key] for key in _META_ARGUMENTS & arguments.keys()})


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _without_comments(value: Any) -> Any:
    """Terraform ignores the key `//` in blocks; CDKTF writes its metadata there."""
    if isinstance(value, Mapping):
        return {key: _without_comments(item) for key, item in value.items() if key != "//"}
    if isinstance(value, list):
        return [_without_comments(item) for item in value]
    return value


def _check_complete(stack: Stack, file: Path) -> None:
    """A stack is refused where nothing of it could run; whatever else it lacks is a gap."""
    for type, purpose in _NEEDED.items():
        if not stack.of_type(type):
            raise BadStack(f"{file} has no {type}, {purpose}: add one to the stack and run `make synth`.")


def _section(content: Mapping[str, Any], name: str) -> Iterator[tuple[str, Any]]:
    return ((key, value) for key, value in _block(content.get(name)).items() if key != "//")


def _block(value: Any) -> Mapping[str, Any]:
    """A block: a single object, a list with one, or absent."""
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, Mapping) else {}
