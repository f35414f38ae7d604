"""The shell scripts that Terraform runs on the machine that deploys."""

from __future__ import annotations

__all__ = ["command"]

# Terraform works in cdktf.out/stacks/<name>; a path of this machine has no place in the synthesized JSON.
FOLDER = "../../../constructs/serviceconnect/scripts"


def command(script: str) -> str:
    """The command for a local-exec provisioner that runs *script* of this folder."""
    return f"sh {FOLDER}/{script}"
