"""Stand-ins for `aws` and `docker` on PATH, which record how they were called."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "constructs/serviceconnect/scripts"


@dataclass
class StandIns:
    """A folder of programs that write their arguments to a log and print what they are told to."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.log = self.folder / "calls.log"
        for tool in ("dirname", "sh", "sleep", "cat"):
            for place in ("/bin", "/usr/bin"):
                if Path(place, tool).exists():
                    (self.folder / tool).symlink_to(Path(place, tool))
                    break

    def add(self, name: str, body: str) -> None:
        """A program *name* that logs its arguments, then runs the shell lines *body*."""
        path = self.folder / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> "{self.log}"\n{body}\n')
        path.chmod(0o755)

    def calls(self) -> list[str]:
        """How the programs were called, in order."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    def run(self, script: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run *script* with nothing but the stand-ins on PATH."""
        return subprocess.run(
            ["/bin/sh", script],
            env={"PATH": str(self.folder), "HOME": os.environ["HOME"], **environment},
            capture_output=True,
            text=True,
            timeout=30,
        )
