"""Why a program has ended: real outputs of servers, folders shortened."""

from __future__ import annotations

from pathlib import Path

import pytest

from twin.machine.causes import cause, hint
from twin.machine.files import last_line

OUTPUTS = {
    "uvicorn, address in use": (
        """INFO:     Started server process [7529]
INFO:     Waiting for application startup.
INFO:     Application startup complete.
ERROR:    [Errno 98] error while attempting to bind on address ('127.0.0.1', 8765): address already in use
INFO:     Waiting for application shutdown.
INFO:     Application shutdown complete.
""",
        "ERROR:    [Errno 98] error while attempting to bind on address ('127.0.0.1', 8765): address already in use",
        "{host}",
    ),
    "uvicorn, no variable": (
        """INFO:     Waiting for application startup.
ERROR:    Traceback (most recent call last):
  File "starlette/routing.py", line 661, in lifespan
    async with self.lifespan_context(app) as maybe_state:
  File "shop.py", line 6, in life
    os.environ["DATABASE_URL"]
    ~~~~~~~~~~^^^^^^^^^^^^^^^^
  File "<frozen os>", line 679, in __getitem__
KeyError: 'DATABASE_URL'

ERROR:    Application startup failed. Exiting.
""",
        "KeyError: 'DATABASE_URL'",
        "env NAME=... program",
    ),
    "uvicorn, no module": (
        'ERROR:    Error loading ASGI app. Could not import module "nope".\n',
        'ERROR:    Error loading ASGI app. Could not import module "nope".',
        "",
    ),
    "uvicorn, an option that it does not know": (
        """Usage: uvicorn [OPTIONS] APP
Try 'uvicorn --help' for help.

Error: No such option '--prt'. Did you mean '--port'?
""",
        "Error: No such option '--prt'. Did you mean '--port'?",
        "",
    ),
    "gunicorn, address in use": (
        """[2026-11-30 04:49:40 +0000] [7646] [ERROR] Connection in use: ('127.0.0.1', 8765)
[2026-11-30 04:49:40 +0000] [7646] [ERROR] connection to ('127.0.0.1', 8765) failed: [Errno 98] Address already in use
[2026-11-30 04:49:41 +0000] [7646] [ERROR] Can't connect to ('127.0.0.1', 8765)
""",
        "[2026-11-30 04:49:40 +0000] [7646] [ERROR] connection to ('127.0.0.1', 8765) failed: "
        "[Errno 98] Address already in use",
        "{host}",
    ),
    "gunicorn, no variable": (
        """[2026-11-30 04:49:43 +0000] [7883] [ERROR] Exception in worker process
Traceback (most recent call last):
  File "gunicorn/arbiter.py", line 752, in spawn_worker
    worker.init_process()
  File "<frozen os>", line 679, in __getitem__
KeyError: 'DATABASE_URL'
'DATABASE_URL'
[2026-11-30 04:49:43 +0000] [7883] [INFO] Worker exiting (pid: 7883)
[2026-11-30 04:49:43 +0000] [7863] [ERROR] Worker (pid:7883) exited with code 3.
[2026-11-30 04:49:43 +0000] [7863] [ERROR] Shutting down: Master
[2026-11-30 04:49:43 +0000] [7863] [ERROR] Reason: Worker failed to boot.
""",
        "KeyError: 'DATABASE_URL'",
        "env NAME=... program",
    ),
    "gunicorn, whose master ends by its own exception": (
        """RuntimeError: no DATABASE_URL
[2026-11-30 21:01:13 +0000] [7883] [INFO] Worker exiting (pid: 7883)
During handling of the above exception, another exception occurred:
Traceback (most recent call last):
gunicorn.errors.HaltServer: <HaltServer 'Worker failed to boot.' 3>
""",
        "RuntimeError: no DATABASE_URL",
        "",
    ),
    "gunicorn, no such application": (
        """[2026-11-30 15:40:44 +0000] [29170] [INFO] Starting gunicorn 27.0.1
[2026-11-30 15:40:44 +0000] [29200] [INFO] Booting worker with pid: 29200
Failed to find attribute 'ap' in 'shop'.
[2026-11-30 15:40:44 +0000] [29200] [INFO] Worker exiting (pid: 29200)
[2026-11-30 15:40:44 +0000] [29170] [INFO] Control socket listening at /home/app/.gunicorn/gunicorn.ctl
[2026-11-30 15:40:44 +0000] [29170] [ERROR] Worker (pid:29200) exited with code 4.
[2026-11-30 15:40:44 +0000] [29170] [ERROR] Shutting down: Master
[2026-11-30 15:40:44 +0000] [29170] [ERROR] Reason: App failed to load.
""",
        "Failed to find attribute 'ap' in 'shop'.",
        "",
    ),
    "gunicorn, a worker that was killed": (
        """[2026-11-30 15:40:44 +0000] [29170] [ERROR] Worker (pid:29200) was sent SIGKILL! Perhaps out of memory?
[2026-11-30 15:40:45 +0000] [29170] [ERROR] Worker (pid:29201) exited with code 3.
[2026-11-30 15:40:45 +0000] [29170] [ERROR] Shutting down: Master
[2026-11-30 15:40:45 +0000] [29170] [ERROR] Reason: Worker failed to boot.
""",
        "[2026-11-30 15:40:44 +0000] [29170] [ERROR] Worker (pid:29200) was sent SIGKILL! Perhaps out of memory?",
        "",
    ),
    "node, address in use": (
        """node:events:497
      throw er; // Unhandled 'error' event
      ^

Error: listen EADDRINUSE: address already in use 127.0.0.1:8765
    at Server.setupListenHandle [as _listen2] (node:net:1940:16)
Emitted 'error' event on Server instance at:
    at emitErrorNT (node:net:1976:8)
    at process.processTicksAndRejections (node:internal/process/task_queues:90:21) {
  code: 'EADDRINUSE',
  errno: -98,
  syscall: 'listen',
  address: '127.0.0.1',
  port: 8765
}

Node.js v22.20.0
""",
        "Error: listen EADDRINUSE: address already in use 127.0.0.1:8765",
        "{host}",
    ),
    "http.server, address in use": (
        """Traceback (most recent call last):
  File "<frozen runpy>", line 198, in _run_module_as_main
  File "socketserver.py", line 472, in server_bind
    self.socket.bind(self.server_address)
OSError: [Errno 98] Address already in use
""",
        "OSError: [Errno 98] Address already in use",
        "{host}",
    ),
    "hypercorn, the last of two exceptions": (
        """ModuleNotFoundError: No module named 'nope'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "hypercorn/utils.py", line 102, in load_application
    raise NoAppError(f"Cannot load application from '{path}', module not found.")
hypercorn.utils.NoAppError: Cannot load application from 'nope:app', module not found.
""",
        "hypercorn.utils.NoAppError: Cannot load application from 'nope:app', module not found.",
        "",
    ),
    "pydantic, no variable": (
        """    validated_self = self.__pydantic_validator__.validate_python(data, self_instance=self)
pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings
database_url
  Field required [type=missing, input_value={}, input_type=dict]
    For further information visit https://errors.pydantic.dev/2.11/v/missing
""",
        "pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings",
        "env NAME=... program",
    ),
    "no Python": (
        """  File "/srv/shop/main.py", line 12
    def orders(:
               ^
SyntaxError: invalid syntax
""",
        "SyntaxError: invalid syntax (main.py, line 12)",
        "",
    ),
    "no such program": ("/bin/sh: 1: exec: nope: not found\n", "/bin/sh: 1: exec: nope: not found", ""),
    "nothing that looks like one": (
        """starting
INFO:     127.0.0.1:5000 - "GET /error HTTP/1.1" 500 Internal Server Error
bye
""",
        "bye",
        "",
    ),
    "too long ago": ("KeyError: 'A'\n" + "tick\n" * 49 + "bye\n", "bye", ""),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_the_line_that_says_why_and_the_way_out(tmp_path: Path, name: str) -> None:
    output, line, way_out = OUTPUTS[name]
    log = tmp_path / "application.log"
    log.write_text(output)

    found = cause(log)

    assert found == line
    assert way_out in hint(found)
    assert bool(way_out) == bool(hint(found))


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        ("environs.exceptions.EnvError: Environment variable \"PORTS\" not set", True),
        ("decouple.UndefinedValueError: DSN not found. Declare it as envvar or define a default value.", True),
        ("KeyError: 'orders'", False),  # of a dict
        ("KeyError: 7", False),
    ],
)  # fmt: skip
def test_which_errors_are_of_the_environment(line: str, fits: bool) -> None:
    assert ("shell's environment" in hint(line)) == fits


def test_of_a_large_log_the_end_counts(tmp_path: Path) -> None:
    log = tmp_path / "application.log"
    log.write_text("x" * 200_000 + "\nOSError: full\nbye\n")
    assert cause(log) == "OSError: full"


@pytest.mark.parametrize("end", ["", "\nbye\n"])
def test_a_line_without_an_end_is_cut(tmp_path: Path, end: str) -> None:
    log = tmp_path / "application.log"
    log.write_text("OSError: " + "A" * 4_000_000 + end)
    assert (len(cause(log)), len(last_line(log))) == (3 if end else 503, 3 if end else 503)
    log.write_text("OSError: " + "A" * 4_000 + end)
    assert cause(log) == "OSError: " + "A" * 491 + "..."


@pytest.mark.parametrize("content", [None, "", "\n \n"])
def test_no_text(tmp_path: Path, content: str | None) -> None:
    log = tmp_path / "application.log"
    if content is not None:
        log.write_text(content)
    assert cause(log) == ""
