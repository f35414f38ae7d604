"""The stack's application, or one that ends as the variable FAULT says: `exit` at once, `exit-later` once it serves."""

from __future__ import annotations

import os
import runpy
import threading

_SERVES_FOR = 8.0  # seconds: longer than a task is held back from registration

match os.environ.get("FAULT"):
    case "exit":
        os._exit(3)
    case "exit-later":
        threading.Timer(_SERVES_FOR, os._exit, [4]).start()

runpy.run_module("app", run_name="__main__")
