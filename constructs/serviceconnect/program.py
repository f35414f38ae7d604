"""The CDKTF program: settings in, cdktf.out/stacks/<name>/cdk.tf.json out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from serviceconnect.loopback import is_loopback
from serviceconnect.settings import InvalidSettings
from serviceconnect.settings.reading import CONTEXT_KEY, PREFIX, from_project
from serviceconnect.source import load_image, service_image

if TYPE_CHECKING:
    from serviceconnect.stack import ServiceConnectStack

__all__ = ["find_node", "synthesize"]

NODE = 22  # the oldest that jsii takes without a warning for every start


def find_node() -> None:
    """Point jsii to the Node of the wheel beside this Python, unless JSII_NODE is set; exits without one that runs."""
    beside = Path(sys.executable).with_name("node")
    if "JSII_NODE" not in os.environ and beside.exists():
        os.environ["JSII_NODE"] = str(beside)
    node = os.environ.get("JSII_NODE", "node")
    try:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
        major = int(version.removeprefix("v").partition(".")[0])
    except (OSError, subprocess.CalledProcessError, ValueError):
        problem = f"there is no Node that runs at {node!r}"
    else:
        if major >= NODE:
            return
        problem = f"the Node at {node!r} is {version}, and {NODE} or newer is needed"
    print(f"main.py: {problem}; CDKTF needs it: run `make clean install`, which brings one.", file=sys.stderr)
    sys.exit(3)


def synthesize(root: Path, add: Callable[[ServiceConnectStack], object] | None = None) -> None:
    """Synthesize the stack that cdktf.json in *root* and the environment describe, with what *add* puts into it.

    Exits with 2 for settings that cannot be used, with 3 without Node.
    """
    try:
        settings = from_project(root, os.environ)
    except InvalidSettings as error:
        _refuse(f"context.{CONTEXT_KEY} in cdktf.json, or variables that begin with {PREFIX}", error)
    find_node()
    # After find_node, for importing cdktf starts jsii's Node.
    from cdktf import Annotations, App

    from serviceconnect.health import warnings
    from serviceconnect.stack import ServiceConnectStack

    context = json.loads((root / "cdktf.json").read_text()).get("context", {})
    # CDKTF_OUTDIR is how the cdktf command says where it will look.
    output = Path(os.environ.get("CDKTF_OUTDIR", root / "cdktf.out"))
    output.mkdir(parents=True, exist_ok=True)
    # A stack that had another name is not in what this program gives; Terraform's cache of it may stay.
    for stale in output.glob("stacks/*/cdk.tf.json"):
        stale.unlink()
        shutil.rmtree(stale.with_name("assets"), ignore_errors=True)
    # CDKTF's validation of terraform_data asks `terraform version`, and synthesis is to need no Terraform.
    app = App(context=context, outdir=str(output), skip_validation=True)
    stack = ServiceConnectStack(
        app,
        settings,
        service_image(root, settings.architecture),
        load_image(root, settings.architecture),
        endpoint_url=os.environ.get("AWS_ENDPOINT_URL", ""),
    )
    if add:
        try:
            add(stack)
        except InvalidSettings as error:
            _refuse(sys.argv[0], error)
    for warning in warnings(settings, (root / "Dockerfile").read_text()):
        Annotations.of(stack).add_warning(warning)  # which the cdktf command prints
        print(f"warning: {warning}", file=sys.stderr)
    app.synth()
    # Terraform's choice of a provider, which `make deploy` keeps: cdktf.out is deleted freely.
    lock = root / ".terraform.lock.hcl"
    if lock.exists() and not is_loopback(os.environ.get("AWS_ENDPOINT_URL", "")):
        shutil.copy(lock, output / "stacks" / settings.name)


def _refuse(where: str, error: InvalidSettings) -> NoReturn:
    print(f"main.py: these settings cannot be used ({where}):", *error.problems, sep="\n  ", file=sys.stderr)
    sys.exit(2)
