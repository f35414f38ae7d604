"""A stack's resources on the endpoint, one after the other, and its outputs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from twin.aws.client import Aws
from twin.errors import BadStack, StartFailed, TwinError
from twin.gaps import NO_USE, Gap
from twin.stack.kinds import KINDS, reason_to_pass_over
from twin.stack.references import Reference, resolve
from twin.stack.terraform import Resource, Stack

__all__ = ["Deployment", "deploy"]

_LONGEST_REASON = 300  # characters
# Meta-arguments that change how a resource is made; the others only order it or tell Terraform what to do later.
_CHANGES_HOW = ("provider", "provisioner")
# An argument, as JSON, that names a network's part by its id.
_EXISTING = re.compile(r'"((?:vpc|subnet|sg)-[0-9a-f]{6,})"')
_EXISTING_GROUP = re.compile(r'"(sg-[0-9a-f]{6,})"')
# What may name a security group of AWS all the same, for no packet is filtered here: a rule is passed over then, and
# the twin's ECS says of a service's groups that it has no use for them.
_RULES = {"aws_vpc_security_group_egress_rule", "aws_vpc_security_group_ingress_rule"}
_NAMES_GROUPS = {*_RULES, "aws_ecs_service"}


@dataclass(frozen=True)
class Deployment:
    """A stack on the endpoint.

    `outputs` are the stack's own, resolved; where one is at a domain of the API's own, which leads to AWS, the API's
    endpoint stands in its place. `attributes` are those of each deployed resource, by its address.
    """

    outputs: Mapping[str, Any]
    attributes: Mapping[str, Mapping[str, Any]]
    gaps: tuple[Gap, ...]


class _NotDeployed(Exception):
    """A reference to something that is not on the endpoint; the text says to what."""


def deploy(stack: Stack, aws: Aws) -> Deployment:
    """Put *stack* on the AWS endpoint of *aws*, that does not hold it yet, and list what is passed over.

    BadStack for what the twin cannot resolve, before anything is made, and for what the endpoint refuses; StartFailed
    if the endpoint does not answer.
    """
    resources = stack.in_order()
    for resource in resources:
        if resource.type in KINDS:
            _check(resource, stack)
    deployer = _Deployer(stack, aws)
    for resource in resources:
        deployer.put(resource)
    outputs = deployer.outputs()  # Before gaps are read: it adds to it.
    return Deployment(outputs, deployer.attributes, tuple(deployer.gaps))


def _check(resource: Resource, stack: Stack) -> None:
    for reference in resource.references():
        if reference.address not in stack.resources:
            raise BadStack(f"{resource.address} refers to {reference}, but the stack has no {reference.address}.")
    arguments = json.dumps(resource.arguments)
    if resource.type in _NAMES_GROUPS:
        arguments = _EXISTING_GROUP.sub("", arguments)
    if existing := _EXISTING.search(arguments):
        raise BadStack(
            f"{resource.address} uses {existing[1]}, which is on AWS and not on this machine: "
            "for the twin, synthesize the stack with a network of its own."
        )


class _Deployer:
    def __init__(self, stack: Stack, aws: Aws) -> None:
        self.attributes: dict[str, Mapping[str, Any]] = {}
        self.gaps: list[Gap] = []
        self._stack = stack
        self._aws = aws

    def put(self, resource: Resource) -> None:
        """Make the resource, or pass over it: for its type, or for an essential argument that cannot be resolved."""
        if resource.type not in KINDS:
            self.gaps.append(Gap(resource.address, "", reason_to_pass_over(resource.type)))
            return
        if resource.type in _RULES and (group := _EXISTING_GROUP.search(json.dumps(resource.arguments))):
            reason = f"it names {group[1]}, which is on AWS; no packet is filtered on loopback addresses"
            self.gaps.append(Gap(resource.address, "", reason))
            return
        call = KINDS[resource.type]
        arguments, left_out = self._arguments(resource)
        for argument in call.essential & left_out.keys():
            self.gaps.append(Gap(resource.address, "", f"its {argument} {left_out[argument]}"))
            return
        try:
            self.attributes[resource.address], unused = call(self._aws, arguments, self._stack.default_tags)
        except (BadStack, BotoCoreError, ClientError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise _as_error_of_twin(error, resource, left_out, self._aws) from error
        left_out |= dict.fromkeys(unused, NO_USE)
        left_out |= {name: "the twin leaves it to Terraform" for name in resource.meta if name in _CHANGES_HOW}
        self.gaps += (Gap(resource.address, f"argument {argument}", reason) for argument, reason in left_out.items())

    def outputs(self) -> dict[str, Any]:
        outputs = {}
        domains = self._domains()
        for name, value in self._stack.outputs.items():
            try:
                outputs[name] = resolve(value, f"output {name}", self._lookup)
                for there, here in domains.items():
                    if str(outputs[name]).startswith(there):
                        self.gaps.append(Gap(f"output {name}", "", f"{there} leads to AWS, so it is {here}"))
                        outputs[name] = here + outputs[name].removeprefix(there)
            except (BadStack, _NotDeployed):
                self.gaps.append(
                    Gap(f"output {name}", "", f"{value} is no reference to something that the twin deploys")
                )
        return outputs

    def _domains(self) -> dict[str, str]:
        """The URL of each domain of the API's own, and where the API is served in its place."""
        made = {type: self._made(type) for type in ("aws_apigatewayv2_api", "aws_apigatewayv2_stage")}
        if not all(made.values()):
            return {}
        (api, *_), (stage, *_) = made.values()
        here = api["api_endpoint"] + ("" if stage["name"] == "$default" else f"/{stage['name']}")
        domains = self._stack.of_type("aws_apigatewayv2_domain_name")
        return {f"https://{domain.arguments['domain_name']}": here for domain in domains}

    def _made(self, type: str) -> list[Mapping[str, Any]]:
        return [self.attributes[r.address] for r in self._stack.of_type(type) if r.address in self.attributes]

    def _arguments(self, resource: Resource) -> tuple[dict[str, Any], dict[str, str]]:
        """The arguments resolved, and those that cannot be, each with the reason."""
        arguments: dict[str, Any] = {}
        left_out: dict[str, str] = {}
        for name, value in resource.arguments.items():
            try:
                arguments |= resolve({name: value}, resource.address, self._lookup)
            except _NotDeployed as error:
                left_out[name] = f"refers to {error}"
        return arguments, left_out

    def _lookup(self, reference: Reference) -> Any:
        if reference.address not in self.attributes:
            raise _NotDeployed(f"{reference.address}, which the twin passes over")
        try:
            return reference.within(self.attributes[reference.address])
        except LookupError:
            raise _NotDeployed(f"{reference}, an attribute that the twin does not know") from None


def _as_error_of_twin(error: Exception, resource: Resource, left_out: Mapping[str, str], aws: Aws) -> TwinError:
    match error:
        case ClientError():
            said = error.response["Error"]
            reason = f"{error.operation_name} was refused ({said.get('Code')}: {said.get('Message', '').rstrip('.')})"
        case ParamValidationError():
            reason = "; ".join(str(error).splitlines()[1:])
        case KeyError():
            reason = f"the argument {error} is missing"
        case LookupError() | TypeError() | ValueError() | AttributeError():
            reason = f"an argument has another form than {resource.type} takes ({error})"
        case BotoCoreError():
            return StartFailed(f"The AWS endpoint {aws.endpoint_url} does not answer: {error}.")
        case _:
            reason = str(error).rstrip(".")
    hint = "".join(f"; {argument} was left out, for it {why}" for argument, why in left_out.items())
    return BadStack(f"{resource.address}: {_shortened(reason)}{hint}.")


def _shortened(text: str) -> str:
    """In one line: an answer may repeat what it was given, or list all that there is."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_REASON else f"{line[: _LONGEST_REASON - 3]}..."
