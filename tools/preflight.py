"""Say what this machine lacks for a deployment, all at once, before the deployment finds it out piece by piece.

    python tools/preflight.py deploy|destroy|diff

Exits with 3 and a sentence for each thing that is missing, with 2 for settings that cannot be used.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import botocore.config
import botocore.exceptions

from serviceconnect.loopback import is_loopback
from serviceconnect.settings import InvalidSettings, Settings
from serviceconnect.settings.reading import from_project

ROOT = Path(__file__).resolve().parent.parent

# The first with a lock file in the S3 backend.
TERRAFORM = (1, 10)


def lacking(action: str, settings: Settings, endpoint_url: str) -> Iterator[str]:
    """What *action* needs and does not find, a sentence each."""
    yield from _terraform()
    if action == "deploy" and not settings.image_uri and not is_loopback(endpoint_url):
        yield from _docker()
    yield from _credentials(settings.region, endpoint_url)


def _terraform() -> Iterator[str]:
    # The name that the cdktf command goes by as well.
    name = os.environ.get("TERRAFORM_BINARY_NAME", "terraform")
    wanted = ".".join(map(str, TERRAFORM))
    if shutil.which(name) is None:
        yield (
            f"{name} is not on PATH: install Terraform {wanted} or newer"
            " (https://developer.hashicorp.com/terraform/install), or name OpenTofu with TERRAFORM_BINARY_NAME=tofu."
        )
        return
    version = json.loads(_output(name, "version", "-json") or "{}").get("terraform_version", "0.0")
    if tuple(int(part) for part in version.split(".")[:2]) < TERRAFORM:
        yield f"{name} is version {version}: install {wanted} or newer."


def _docker() -> Iterator[str]:
    instead = "or give an image that is there with SC_IMAGE_URI"
    if shutil.which("docker") is None:
        yield f"docker is not on PATH: install Docker with buildx for building the image, {instead}."
    elif _output("docker", "buildx", "version") is None:
        yield f"docker has no buildx: install its plugin for building the image, {instead}."
    elif _output("docker", "info") is None:
        yield f"docker reaches no engine: start it, {instead}."


def _credentials(region: str, endpoint_url: str) -> Iterator[str]:
    hint = 'run `eval "$(twin env)"`' if is_loopback(endpoint_url) else "run `aws configure`, or set AWS_PROFILE"
    where = endpoint_url or "AWS"
    try:
        session = boto3.Session()
        if session.get_credentials() is None:
            yield f"there are no AWS credentials: {hint}."
            return
        quick = botocore.config.Config(connect_timeout=5, read_timeout=10, retries={"max_attempts": 2})
        session.client("sts", region_name=region, config=quick).get_caller_identity()
    except botocore.exceptions.ClientError as error:
        yield f"{where} refuses the credentials ({error.response['Error']['Message']}): {hint}."
    except botocore.exceptions.BotoCoreError as error:
        yield f"{where} cannot be asked who you are ({error}): {hint}."


def _output(*command: str) -> str | None:
    """What *command* prints, None if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.stdout if done.returncode == 0 else None


def main() -> int:
    """Check for the action that is named; the exit code."""
    action = sys.argv[1]
    try:
        settings = from_project(ROOT, os.environ)
    except InvalidSettings as error:
        print("These settings cannot be used:", *error.problems, sep="\n  ", file=sys.stderr)
        return 2
    missing = list(lacking(action, settings, os.environ.get("AWS_ENDPOINT_URL", "")))
    if missing:
        print(f"make {action} lacks something:", *missing, sep="\n  ", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
