"""What the cdktf command runs in place of main.py: the same, and the provider's version is the one that there is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conformance.terraform import pin

if __name__ == "__main__":
    subprocess.run([sys.executable, "main.py"], check=True)
    for stack in Path(os.environ["CDKTF_OUTDIR"]).glob("stacks/*/cdk.tf.json"):
        pin(stack)
