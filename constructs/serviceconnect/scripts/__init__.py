"""The shell scripts that Terraform runs on the machine that deploys."""

from __future__ import annotations

from pathlib import Path

from cdktf import AssetType, TerraformAsset, TerraformStack
from constructs import Construct

__all__ = ["command"]


def command(scope: Construct, script: str) -> str:
    """The command for a local-exec provisioner that runs *script* of this folder.

    It goes with the stack, as an asset beside its JSON: Terraform needs no folder of this project, wherever it runs.
    """
    stack = TerraformStack.of(scope)
    id = f"script-{Path(script).stem}"
    asset = stack.node.try_find_child(id)
    if not isinstance(asset, TerraformAsset):
        asset = TerraformAsset(stack, id, path=str(Path(__file__).with_name(script)), type=AssetType.FILE)
    return f"sh {asset.path}"
