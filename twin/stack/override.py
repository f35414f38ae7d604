"""What leads a Terraform project to the twin and back: an override file, beside the variables of `twin env`.

The AWS provider takes endpoint and credentials from the environment (from version 5.36 on, the endpoint too). A project
whose provider names a profile, keys, account or endpoints of its own needs them overridden, and every project a state
that is not the one of AWS.

Sources: https://developer.hashicorp.com/terraform/language/files/override and
https://developer.hashicorp.com/terraform/cli/config/environment-variables
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from twin.errors import BadInput
from twin.machine.files import replacing
from twin.stack.expressions import evaluate
from twin.stack.hcl import blocks_of

__all__ = ["DATA_FOLDER", "own_state", "write_override"]

DATA_FOLDER = ".terraform.twin"
"""Where Terraform keeps what belongs to a backend: TF_DATA_DIR."""

_FILE = "twin_override.tf"
_FIRST = "# Written by `twin env --terraform`"
_STATE = "terraform.twin.tfstate"
# Names that the provider has had since version 4.
_SERVICES = (
    *("acm", "apigateway", "apigatewayv2", "applicationautoscaling", "cloudwatch", "dynamodb", "ec2", "ecr", "ecs"),
    *("elb", "elbv2", "events", "iam", "kms", "lambda", "logs", "resourcegroupstaggingapi", "route53", "s3"),
    *("secretsmanager", "servicediscovery", "sns", "sqs", "ssm", "sts"),
)
_NOT_THE_USERS = (
    *("access_key", "secret_key", "token", "profile", "shared_config_files", "shared_credentials_files"),
    *("allowed_account_ids", "forbidden_account_ids"),
)

# The commands of Terraform that have the option -state; a backend that is not `local` ignores it.
_OF_STATE = ("apply", "console", "destroy", "import", "output", "plan", "refresh", "taint", "untaint")


def own_state(inherited: Mapping[str, str]) -> dict[str, str]:
    """What is to be set beside *inherited* for a Terraform without an override file to have a state of its own.

    A project without a backend has the state of AWS in `terraform.tfstate`.
    """
    names = (f"TF_CLI_ARGS_{command}" for command in _OF_STATE)
    return {name: f"{inherited.get(name, '')} -state={_STATE}".strip() for name in names}


def write_override(folder: Path, endpoint: str) -> Path | None:
    """Write the override file of the Terraform project in *folder*; it, or None: it is there as it should be.

    Raises:
        BadInput: there is no project in plain HCL, or a file of that name that is the user's own.
    """
    files = [(file, content) for file, content in blocks_of(folder) if file.name != _FILE]
    if not files:
        raise BadInput(f"{folder.resolve()} has no *.tf: run this in a Terraform project.")
    target = folder / _FILE
    if target.exists() and not target.read_text(errors="replace").startswith(_FIRST):
        raise BadInput(f"{target} is not one that `twin env --terraform` has written: give it another name.")
    aliases = {
        evaluate(block.arguments.get("alias", ("value", None)))
        for _, content in files
        for block in content.of_type("provider", "aws")
    }
    blocks = [_provider(alias, endpoint) for alias in sorted(aliases, key=lambda alias: alias or "")]
    text = "\n".join([_head(endpoint), *blocks])
    if target.exists() and target.read_text(encoding="utf-8", errors="replace") == text:
        return None
    with replacing(target, 0o666) as file:
        file.write(text.encode())
    return target


def _head(endpoint: str) -> str:
    return f"""{_FIRST}: leads Terraform to the twin at {endpoint}, with a state of its own.
# Remove it, and unset TF_DATA_DIR, to go back to AWS.
terraform {{
  backend "local" {{
    path = {json.dumps(_STATE)}
  }}
}}
"""


def _provider(alias: str | None, endpoint: str) -> str:
    """The block that overrides the provider of that *alias*; there has to be one to override."""
    lines = [
        *([f"alias = {json.dumps(alias)}"] if alias else []),
        *(f"{name} = null" for name in _NOT_THE_USERS),
        "s3_use_path_style = true",
        "endpoints {",
        *(f"  {service} = {json.dumps(endpoint)}" for service in _SERVICES),
        "}",
    ]
    return "\n".join(['provider "aws" {', *(f"  {line}" for line in lines), "}", ""])
