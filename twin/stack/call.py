"""A type of resource as a call to AWS: Terraform's arguments in, Terraform's attributes out."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jmespath  # type: ignore[import-untyped]

from twin.aws.client import Aws
from twin.errors import BadStack
from twin.stack.conversion import parameters

__all__ = ["Arguments", "Attributes", "Call", "NotHere", "without"]

Arguments = Mapping[str, Any]
Attributes = Mapping[str, Any]

# What an argument asks of Terraform itself, on a change or at the end: no AWS call carries it.
_TERRAFORMS_OWN = {
    "fail_on_warnings",
    "force_delete",
    "force_detach_policies",
    "force_new_deployment",
    "revoke_rules_on_delete",
    "sigint_rollback",
    "skip_destroy",
    "timeouts",
    "track_latest",
    "triggers",
    "wait_for_steady_state",
}


class NotHere(BadStack):
    """What a data source describes is not on this machine."""

    def __init__(self) -> None:
        super().__init__("this machine has none that it describes: what is on AWS is not here")


@dataclass(frozen=True)
class Call:
    """The call that makes a resource, or reads a data source. What botocore's model of it does not tell stands here.

    `rename`      arguments whose parameters have other names: see `conversion.parameters`
    `defaults`    arguments that the AWS provider sends unasked
    `required`    arguments that botocore's model does not require, and moto does
    `essential`   arguments without which the resource is not worth making
    `prepare`     reshapes the arguments before they are converted
    `answer`      attributes, and where the answer has them: JMESPath, in which `{name}` is the argument `name`
    `derived`     attributes as templates of other attributes, `{region}` and `{account_id}`
    `then`        makes further calls for the arguments that `takes` names; what it returns is added to the attributes
    """

    service: str
    operation: str
    rename: Mapping[str, str] = field(default_factory=dict)
    defaults: Arguments = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    essential: frozenset[str] = frozenset()
    prepare: Callable[[Arguments], Arguments] = dict
    answer: Mapping[str, str] = field(default_factory=dict)
    derived: Mapping[str, str] = field(default_factory=dict)
    takes: frozenset[str] = frozenset()
    then: Callable[[Aws, Attributes], Attributes] = lambda aws, attributes: {}

    def __call__(
        self, aws: Aws, arguments: Arguments, default_tags: Mapping[str, str]
    ) -> tuple[Attributes, tuple[str, ...]]:
        """The resource's attributes, the arguments among them, and the arguments that found no use."""
        shape = aws.input_shape(self.service, self.operation)
        given = _with_name({**self.defaults, **arguments})
        for name in self.required:
            if given.get(name) in (None, ""):
                raise KeyError(name)
        if default_tags and {"Tags", "tags", "TagSpecifications"} & shape.members.keys():
            given["tags"] = {**default_tags, **(given.get("tags") or {})}
        convertible = self.prepare(without(given, *_TERRAFORMS_OWN, *self.takes))
        sent, unused = parameters(shape, convertible, self.rename)
        answer = aws.call(self.service, self.operation, **sent)
        attributes = given | {name: jmespath.search(path.format(**given), answer) for name, path in self.answer.items()}
        for name, template in self.derived.items():
            attributes[name] = template.format_map(attributes | {"region": aws.region, "account_id": aws.account_id})
        return {**attributes, **self.then(aws, attributes)}, tuple(unused)


def without(arguments: Arguments, *names: str) -> dict[str, Any]:
    """The arguments that are not among *names*."""
    return {argument: value for argument, value in arguments.items() if argument not in names}


def _with_name(arguments: Arguments) -> dict[str, Any]:
    """Where there is no name but a prefix: a name of that and 26 characters, as the provider makes it."""
    given = without(arguments, "name_prefix")
    if (prefix := arguments.get("name_prefix")) and not given.get("name"):
        given["name"] = prefix + uuid.uuid4().hex[:26]
    return given
