"""The CDKTF program: settings in, cdktf.out/stacks/<name>/cdk.tf.json out."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from serviceconnect.settings import InvalidSettings, Settings

ROOT = Path(__file__).resolve().parent


def find_node() -> None:
    """Point jsii to the Node of the wheel beside this Python, unless JSII_NODE is set. Exits with 3 without a Node."""
    beside = Path(sys.executable).with_name("node")
    if "JSII_NODE" not in os.environ and beside.exists():
        os.environ["JSII_NODE"] = str(beside)
    node = os.environ.get("JSII_NODE", "node")
    if shutil.which(node) is None:
        print(f"main.py: no Node at {node!r}, which CDKTF needs; `make install` puts one into .venv.", file=sys.stderr)
        sys.exit(3)


def main() -> None:
    """Synthesize the stack that cdktf.json and the environment describe."""
    find_node()
    try:
        settings = Settings()
    except InvalidSettings as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    # After find_node, for importing cdktf starts jsii's Node.
    from cdktf import App

    from serviceconnect.stack import ServiceConnectStack

    context = json.loads((ROOT / "cdktf.json").read_text())["context"]
    app = App(context=context, outdir=str(ROOT / "cdktf.out"))
    ServiceConnectStack(app, settings, image_tag="latest")
    app.synth()


if __name__ == "__main__":
    main()
