"""A stack's resources on the endpoint, one after the other, and its outputs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from twin.aws.client import Aws
from twin.errors import BadStack, StartFailed
from twin.gaps import NO_USE, Gap
from twin.stack.call import NotHere
from twin.stack.kinds import KINDS, reason_to_pass_over
from twin.stack.references import NOT_EXPANDED, NotEvaluated, Reference, resolve
from twin.stack.terraform import Resource, Stack

__all__ = ["Deployment", "deploy"]

_LONGEST_REASON = 300  # characters
# Meta-arguments that change how a resource is made; the others only order it or tell Terraform what to do later.
_CHANGES_HOW = ("provider", "provisioner")
_REPEATS = ("count", "for_each")
# An argument, as JSON, that names a network's part by its id.
_EXISTING = re.compile(r'"((?:vpc|subnet|sg)-[0-9a-f]{6,})"')
_EXISTING_GROUP = re.compile(r'"(sg-[0-9a-f]{6,})"')
# Its groups may be AWS's: no packet is filtered here, and the twin's ECS says that it has no use for them.
_SERVICE = "aws_ecs_service"
_CONTAINERS = "container_definitions"


@dataclass(frozen=True)
class Deployment:
    """A stack on the endpoint.

    `outputs` are the stack's own, resolved; where one is a URL of an API that leads to AWS, as an `invoke_url` or a
    domain name's, the URL here stands in its place. `attributes` are those of each deployed resource, by its address.
    """

    outputs: Mapping[str, Any]
    attributes: Mapping[str, Mapping[str, Any]]
    gaps: tuple[Gap, ...]


class _NotDeployed(Exception):
    """A reference to something that is not on the endpoint; the text says to what."""


def deploy(stack: Stack, aws: Aws) -> Deployment:
    """Put *stack* on the AWS endpoint of *aws*, that does not hold it yet, and list what is passed over.

    BadStack for what Terraform or AWS would refuse, and where none of its services can run; StartFailed if the
    endpoint does not answer.
    """
    resources = stack.in_order()
    for resource in resources:
        for reference in resource.references() if resource.type in KINDS else ():
            if reference.address not in stack.resources and reference.address not in stack.repeated:
                raise BadStack(f"{resource.address} refers to {reference}, but the stack has no {reference.address}.")
    deployer = _Deployer(stack, aws)
    for resource in resources:
        deployer.put(resource)
    services = [service.address for service in stack.of_type(_SERVICE)]
    if services and not deployer.attributes.keys() & set(services):
        reasons = "; ".join(str(gap) for gap in deployer.gaps if gap.where in services)
        raise BadStack(f"No service of {stack.name} can run on this machine: {_shortened(reasons)}.")
    outputs = deployer.outputs()  # Before gaps are read: it adds to it.
    return Deployment(outputs, deployer.attributes, tuple(deployer.gaps))


class _Deployer:
    def __init__(self, stack: Stack, aws: Aws) -> None:
        self.attributes: dict[str, Mapping[str, Any]] = {}
        self.gaps: list[Gap] = []
        self._stack = stack
        self._aws = aws

    def put(self, resource: Resource) -> None:
        """Make the resource, or pass over it: for its type, or for what of it the twin cannot resolve.

        BadStack if the endpoint refuses it all the same.
        """
        if resource.type not in KINDS:
            self.gaps.append(Gap(resource.address, "", reason_to_pass_over(resource.type)))
            return
        if repeated := [name for name in _REPEATS if name in resource.meta]:
            self.gaps.append(Gap(resource.address, "", NOT_EXPANDED.format(repeated[0])))
            return
        call = KINDS[resource.type]
        arguments, left_out = self._arguments(resource)
        for argument in call.essential & left_out.keys():
            self.gaps.append(Gap(resource.address, "", f"its {argument} {left_out[argument]}"))
            return
        try:
            self.attributes[resource.address], unused = call(self._aws, arguments, self._stack.default_tags)
        except NotHere as error:
            self.gaps.append(Gap(resource.address, "", str(error)))
            return
        except (BadStack, BotoCoreError, ClientError, LookupError, TypeError, ValueError, AttributeError) as error:
            reason = _reason(error, resource, left_out, self._aws)
            made = {address.partition("[")[0] for address in self.attributes}
            passed_over = [needed for needed in resource.depends_on if needed not in made]
            if passed_over and not left_out:
                reason += f"; it depends on {passed_over[0]}, which the twin passes over"
            if left_out or passed_over:  # it might be all that is wrong
                self.gaps.append(Gap(resource.address, "", reason))
                return
            raise BadStack(f"{resource.address}: {reason}.") from error
        left_out |= dict.fromkeys(unused, NO_USE)
        left_out |= {name: "the twin leaves it to Terraform" for name in resource.meta if name in _CHANGES_HOW}
        self.gaps += (Gap(resource.address, f"argument {argument}", reason) for argument, reason in left_out.items())

    def outputs(self) -> dict[str, Any]:
        outputs = {}
        urls = self._urls_on_aws()
        for name, value in self._stack.outputs.items():
            try:
                outputs[name] = resolve(value, f"output {name}", self._lookup)
                for there, here in urls.items():
                    if re.match(rf"{re.escape(there)}(/|$)", str(outputs[name])):
                        self.gaps.append(Gap(f"output {name}", "", f"{there} leads to AWS, so it is {here}"))
                        outputs[name] = here + outputs[name].removeprefix(there)
            except (BadStack, _NotDeployed):
                self.gaps.append(
                    Gap(f"output {name}", "", f"{value} is no reference to something that the twin deploys")
                )
        return outputs

    def _urls_on_aws(self) -> dict[str, str]:
        """The URLs of APIs on AWS, those of longer paths first, and where on this machine each is served."""
        here = {api["id"]: api["api_endpoint"] for api in self._made("aws_apigatewayv2_api")}
        urls = {f"https://{api}.execute-api.{self._aws.region}.amazonaws.com": url for api, url in here.items()}
        for mapping in self._made("aws_apigatewayv2_api_mapping"):
            there = "/".join(filter(None, ("https:/", mapping["domain_name"], mapping.get("api_mapping_key"))))
            stage = "" if mapping["stage"] == "$default" else f"/{mapping['stage']}"
            urls[there] = here[mapping["api_id"]] + stage
        return dict(sorted(urls.items(), key=lambda url: -len(url[0])))

    def _made(self, type: str) -> list[Mapping[str, Any]]:
        return [self.attributes[r.address] for r in self._stack.of_type(type) if r.address in self.attributes]

    def _arguments(self, resource: Resource) -> tuple[dict[str, Any], dict[str, str]]:
        """The arguments resolved, and those that cannot be, each with the reason."""
        arguments: dict[str, Any] = {}
        left_out: dict[str, str] = {}
        for name, value in resource.arguments.items():
            if existing := _on_aws(resource.type, value):
                left_out[name] = f"names {existing}, which is on AWS and not on this machine"
                continue
            lookup = partial(self._as_text, resource) if name == _CONTAINERS else self._lookup
            if resource.type == _SERVICE and name == "network_configuration":
                value = self._without_unknown_groups(resource, value)
            try:
                arguments |= resolve({name: value}, resource.address, lookup)
            except _NotDeployed as error:
                left_out[name] = f"refers to {error}"
            except NotEvaluated as error:
                left_out[name] = f"is not evaluated: {error.what}"
        return arguments, left_out

    def _without_unknown_groups(self, resource: Resource, network: Any) -> Any:
        """A service's network without security groups that are not resolved: nothing here would use them."""
        (block,) = network if isinstance(network, list) and len(network) == 1 else (network,)
        try:
            resolve(
                block.get("security_groups") if isinstance(block, Mapping) else None, resource.address, self._lookup
            )
        except (NotEvaluated, _NotDeployed) as error:
            what = error.what if isinstance(error, NotEvaluated) else f"refers to {error}"
            self.gaps.append(Gap(resource.address, "argument network_configuration.security_groups", what))
            return {name: value for name, value in block.items() if name != "security_groups"}
        return network

    def _as_text(self, resource: Resource, reference: Reference) -> Any:
        """What a container definition has for *reference*: itself, as text, where the twin knows no value."""
        try:
            return self._lookup(reference)
        except _NotDeployed as error:
            text = f"${{{reference}}}"
            why = f"it stays as it is, for it refers to {error}; `environment` in twin.toml may give a value"
            self.gaps.append(Gap(resource.address, f"argument {_CONTAINERS}, {text}", why))
            return text

    def _lookup(self, reference: Reference) -> Any:
        instances = self._stack.instances(reference.address) if reference.address in self._stack.repeated else {}
        for address in instances.values() if instances else [reference.address]:
            if address not in self.attributes:
                raise _NotDeployed(f"{address}, which the twin passes over")
        made: Any = {key: self.attributes[address] for key, address in instances.items()}
        if all(isinstance(key, int) for key in made):
            made = [*made.values()]
        try:
            return reference.within(made if instances else self.attributes[reference.address])
        except LookupError:
            raise _NotDeployed(f"{reference}, an attribute that the twin does not know") from None


def _on_aws(type: str, value: Any) -> str | None:
    """The id of a network's part that *value*, an argument as it stands in the stack, names."""
    text = json.dumps(value)
    found = _EXISTING.search(_EXISTING_GROUP.sub("", text) if type == _SERVICE else text)
    return found and found[1]


def _reason(error: Exception, resource: Resource, left_out: Mapping[str, str], aws: Aws) -> str:
    """Why a resource could not be made; StartFailed if the endpoint does not answer."""
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
            raise StartFailed(f"The AWS endpoint {aws.endpoint_url} does not answer: {error}.") from None
        case _:
            reason = str(error).rstrip(".")
    hint = "".join(f"; {argument} was left out, for it {why}" for argument, why in left_out.items())
    return f"{_shortened(reason)}{hint}"


def _shortened(text: str) -> str:
    """In one line: an answer may repeat what it was given, or list all that there is."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_REASON else f"{line[: _LONGEST_REASON - 3]}..."
