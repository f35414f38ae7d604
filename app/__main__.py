"""`python -m app`: serve until SIGTERM or SIGINT. Exit codes: 0 ended as told; 2 settings that cannot be used."""

import os
import signal
import sys
from types import FrameType

from app.settings import Settings, SettingsError


def main() -> int:
    """Run the service by the environment's settings; returns the exit code."""
    # The first process of a container has no default reaction to signals: without these handlers one that comes before
    # the server's own would be lost, and SIGKILL the end.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    try:
        settings = Settings.from_environment(os.environ)
        # Not at the top, because these imports are most of the start: signals and settings are seen to before.
        from app.server import run

        run(settings, os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
