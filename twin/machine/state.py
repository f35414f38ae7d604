"""The state folder: who runs on it, what others may read of it, and the event log.

lock            held by the running supervisor, and by nobody else, however it ended
twin.json       its pid, and what a client needs: URLs, Region, where its credentials are
outputs.json    there once the twin serves: the same form as `cdktf deploy --outputs-file` writes
events.jsonl    every step of every task, and of the gateway; events.jsonl.1: what was before
tasks/<id>/     configuration and logs of a task; gateway/ and load-balancer/ likewise

Its owner alone can read it. The credentials are not even in it: a service that serves the folder in which it runs, as
`python -m http.server` does, would serve them.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import glob
import hashlib
import json
import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from twin.credentials import Credentials
from twin.errors import AlreadyUp, BadInput, NotUp
from twin.machine.files import runtime_folder, write_json
from twin.machine.rotation import move

__all__ = ["HOST_NAME", "StateFolder"]


_logger = logging.getLogger("twin")

HOST_NAME = "host_name"
"""The file in a task's folder that has its host name."""

_POLL = 2.0  # seconds between two looks whether the folder can be used
_LEAST_SPACE = 64 * 1024  # bytes: a task's first files
_LOOKED_AT = 0.2  # seconds for which somebody may look whether a twin runs on the folder
_BEGINS_WITHIN = 1.0  # seconds by which a `twin up` that was started with a command has announced itself
_SERVES_WITHIN = 600.0  # seconds: a start that does not come up gives up by itself, earlier
_LONGEST_WITHIN = 100  # characters of the longest path that is made within
_LOCK, _IGNORES = "lock", ".gitignore"  # what stays from twin to twin, and tells that a folder is one's
_IGNORED = "*\n"  # logs and states are no part of anybody's repository
_CLEARED_WITHIN = 2.0  # seconds: what an earlier twin started may write on for a moment


class StateFolder:
    """A twin's state folder, for its supervisor and for the commands that ask about it."""

    def __init__(self, path: Path) -> None:
        """
        Raises:
            BadInput: there can be no folder of that name.
        """
        try:
            self.path = path.resolve()
            with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                (self.path / ("x" * _LONGEST_WITHIN)).lstat()
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise BadInput(f"--state {str(path)[:80]!r}... is no path for a folder ({why}): give another.") from None
        self._credentials: Path | None = None  # their file
        self._kept: Mapping[str, str] = {}  # what is in it
        self._lock: int | None = None  # its descriptor, for as long as it is held
        self.outputs = self.path / "outputs.json"
        self._description = self.path / "twin.json"
        self._events: int | None = None  # the descriptor of the event log
        self._lost = 0  # lines of it that could not be written since the last that could
        self._writing = threading.Lock()

    @contextlib.contextmanager
    def hold(self, credentials: Credentials | None = None) -> Iterator[None]:
        """Be the only supervisor on this folder, with what an earlier one left taken away.

        Args:
            credentials: the twin's, which its clients read; None: new ones.

        Raises:
            AlreadyUp: another one runs here.
            BadInput: the folder cannot be written.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if Path.cwd().is_relative_to(self.path):
                raise BadInput(f"--state {self.path} is where you are: give a folder that only the twin needs.")
            if not self._is_a_twins():
                raise BadInput(
                    f"--state {self.path} is not empty, and no state of a twin: give another folder, or remove it."
                )
            self.path.chmod(0o700)
            # Whoever made the folder, as one is in a clone of somebody's repository: no link in it is followed, and
            # nothing that was prepared in it is left.
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
            lock = os.fdopen(os.open(self.path / _LOCK, flags, 0o600), "w")
        except OSError as error:
            raise self.not_writable(error) from None
        with lock:
            self._lock = lock.fileno()
            if not _lock_within(_LOOKED_AT, lock.fileno()):
                raise self._already_up() from None
            try:
                try:
                    self._clear()
                    with contextlib.suppress(FileExistsError), open(self.path / _IGNORES, "x") as ignored:
                        ignored.write(_IGNORED)
                    self._events, self._lost = self._open_events(), 0
                    _remove_what_the_dead_left(runtime_folder())
                    self._kept = {**asdict(credentials or Credentials.new()), "state": str(self.path)}
                    self._keep_credentials()
                    self.describe(pid=os.getpid())
                except OSError as error:
                    raise self.not_writable(error) from None
                yield
            finally:
                self._lock = None
                self._close_events()
                for file in (self._description, self.outputs, self._credentials):
                    if file is not None:
                        file.unlink(missing_ok=True)

    @contextlib.contextmanager
    def beginning(self) -> Iterator[None]:
        """Within it a command that is started beside waits for this process to hold the folder, which it can tell late.

        What it imports and checks before takes a second, and more on a busy machine.
        """
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError, BadInput):  # no folder for it: that is told in a moment, with the way out
                announcement = self._announcement()
                file = stack.enter_context(announcement.open("w"))
                if _lock_within(_LOOKED_AT, file.fileno()):
                    stack.callback(announcement.unlink, missing_ok=True)
            yield

    def _announcement(self) -> Path:
        return self._in_runtime_folder(".begins")

    def _in_runtime_folder(self, suffix: str) -> Path:
        """A file of this state folder's where no other user reads."""
        return runtime_folder() / f"{hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]}{suffix}"

    def require_free(self) -> None:
        """Nothing, if no supervisor is on this folder.

        Raises:
            AlreadyUp: one is.
        """
        if self._is_held():
            raise self._already_up()

    def not_writable(self, error: OSError) -> BadInput:
        """*error* as a sentence: of a file in this folder that could not be written."""
        why = f"The state folder {self.path} cannot be written ({error.strerror})"
        return BadInput(f"{why}: free some space, or choose another --state.")

    def _already_up(self) -> AlreadyUp:
        pid = self._read().get("pid", "unknown")
        way_out = "end it with `twin down`, or choose another --state."
        return AlreadyUp(f"A twin runs on {self.path} already (pid {pid}): {way_out}")

    def describe(self, **content: Any) -> None:
        """Replace what clients can read of this twin."""
        write_json(self._description, {**content, "credentials_file": str(self._credentials)})

    def _keep_credentials(self) -> None:
        """Write their file where it is not there: a machine clears its folder of temporary files now and then."""
        if self._credentials is not None and self._credentials.exists():
            return
        file = self._in_runtime_folder(".json")  # which may be another by now
        write_json(file, self._kept)
        if self._credentials not in (None, file):
            write_json(self._description, {**self._read(), "credentials_file": str(file)})
        self._credentials = file

    def log(self, kind: str, **details: Any) -> None:
        """Add a line to the event log. Lines that cannot be written are lost; the next that can says how many."""
        with self._writing:  # any thread may
            if self._events is None:
                return
            try:
                if self._lost:
                    self._write(self._events, kind="event log", step="lines lost", lines=self._lost)
                self._write(self._events, kind=kind, **details)
            except OSError as error:
                if not self._lost:
                    lost = f"cannot be written ({error.strerror}), and lacks what happens until it can"
                    print(f"twin: {self.path / 'events.jsonl'} {lost}", file=sys.stderr)
                self._lost += 1
                return
            self._lost = 0
            with contextlib.suppress(OSError):  # no space for another: this one grows on
                if move(self.path / "events.jsonl"):
                    before, self._events = self._events, self._open_events()
                    os.close(before)

    def _open_events(self) -> int:
        return os.open(self.path / "events.jsonl", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)

    def _write(self, file: int, **content: Any) -> None:
        """A whole line, or nothing."""
        line = json.dumps({"time": round(time.time(), 3), **content}).encode() + b"\n"
        if (written := os.write(file, line)) < len(line):
            os.ftruncate(file, os.fstat(file).st_size - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def trouble(self) -> str | None:
        """Why the twin that holds this folder cannot go on as before; None if it can."""
        try:
            there, held = (self.path / _LOCK).stat(), os.fstat(self._lock) if self._lock is not None else None
            if held is not None and (there.st_dev, there.st_ino) != (held.st_dev, held.st_ino):
                raise FileNotFoundError
            space = os.statvfs(self.path)
        except OSError:
            return (
                f"The state folder {self.path} was removed: its logs are lost, no task can start, and no command "
                "finds this twin any more. End it with Ctrl-C, and start another."
            )
        if space.f_bavail * space.f_frsize < _LEAST_SPACE or (space.f_files and not space.f_favail):
            return f"The state folder {self.path} has no space left: no task can start until some is freed."
        return None

    @property
    def work(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What goes on by itself, by name."""
        return {"the state folder": self.watch}

    async def watch(self) -> None:
        """Warn of what is wrong with the folder for as long as it is, and keep the credentials, until cancelled."""
        while True:
            if trouble := self.trouble():
                _logger.warning(trouble)
            else:
                try:
                    self._keep_credentials()
                except (BadInput, OSError) as error:
                    _logger.warning("The credentials are gone, so that `twin down` alone reaches this twin: %s", error)
            await asyncio.sleep(_POLL)

    def _close_events(self) -> None:
        with self._writing:
            if self._events is not None:
                os.close(self._events)
            self._events = None

    def serving(self) -> dict[str, Any]:
        """As `running`, of one that serves: while it starts it is waited for, which is said on stderr.

        Raises:
            NotUp: as `running`, or it ends before it serves.
        """
        running = self.running(may_begin=True)
        if "aws_endpoint_url" in running:
            return running
        pid, deadline = running["pid"], time.monotonic() + _SERVES_WITHIN
        print(f"twin: the twin (pid {pid}) is starting: waiting until it serves", file=sys.stderr, flush=True)
        while "aws_endpoint_url" not in (told := self._told()):
            if told.get("pid") != pid:
                raise NotUp(f"The twin (pid {pid}) ended before it served: what `twin up` printed says why.")
            if time.monotonic() > deadline:
                raise NotUp(f"The twin (pid {pid}) does not serve within {_SERVES_WITHIN:g} s: see `twin events`.")
            time.sleep(0.05)  # a file of a process that is no child of ours
        return self.running()

    def running(self, *, may_begin: bool = False) -> dict[str, Any]:
        """What the supervisor on this folder tells of itself; under `credentials` are its Credentials.

        Args:
            may_begin: whether to wait for a `twin up` that was started beside the command.

        Raises:
            NotUp: none runs here, it has said nothing yet, or it is another user's.
        """
        running = self._begun(_BEGINS_WITHIN if may_begin else 0.0)
        try:
            content = json.loads(Path(running.pop("credentials_file")).read_text())
            content.pop("state")
            return {**running, "credentials": Credentials(**content)}
        except KeyError:  # it has only begun
            return running
        except FileNotFoundError as error:
            raise NotUp(
                f"The credentials of the twin on {self.path} are gone ({error.filename}): try again in "
                f"{_POLL:g} s, in which it writes them anew, or end it with `twin down`."
            ) from None
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise NotUp(
                f"The credentials of the twin on {self.path} cannot be read ({error}): are you its user?"
            ) from None

    def pid(self) -> int:
        """The supervisor's on this folder.

        Raises:
            NotUp: none runs here, or it has said nothing yet.
        """
        return int(self._begun()["pid"])

    def _begun(self, patience: float = 0.0) -> dict[str, Any]:
        """What a supervisor has written of itself that is about to begin within *patience* seconds."""
        deadline = time.monotonic() + patience
        while "pid" not in (running := self._told()):
            if time.monotonic() >= deadline and not (patience and self._is_about_to_begin()):
                raise self._not_up()
            time.sleep(0.05)  # a file of a process that is no child of ours
        return running

    def _is_about_to_begin(self) -> bool:
        with _looking_at(self._announcement()) as held:
            return held

    def _told(self) -> dict[str, Any]:
        """What the supervisor on this folder has written of itself; empty: nothing, or there is none."""
        return self._read() if self._is_held() else {}

    def _not_up(self) -> NotUp:
        if self._is_held():
            return NotUp(f"A twin on {self.path} is just about to start, or has just ended: try again in a moment.")
        others = [
            os.path.relpath(beside) for beside in self.path.parent.glob(".twin*") if StateFolder(beside)._is_held()
        ]
        beside = f", or name the one that runs: --state {others[0]}" if others else ""
        return NotUp(f"No twin runs on {self.path}: start one with `twin up`{beside}.")

    def wait_until_free(self, timeout: float) -> bool:
        """Whether the supervisor on this folder has ended within *timeout* seconds."""
        deadline = time.monotonic() + timeout
        while self._is_held():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)  # the lock of a process that is no child of ours
        return True

    def find_task(self, name: str) -> Path:
        """The folder of the task that is *name*: its id, the beginning of it, its ARN or host name.

        Of several tasks that have had the host name it is the last.

        Raises:
            BadInput: there is none, or more than one whose id begins so.
        """
        beginning = name.rsplit("/", 1)[-1]
        tasks = self.path / "tasks"
        found = sorted(tasks.glob(f"{glob.escape(beginning)}*")) if beginning and tasks.is_dir() else []
        if not found:
            found = _with_host_name(tasks, beginning)[-1:]
        if len(found) != 1:
            what = f"begins {len(found)} tasks" if found else "is no task"
            raise BadInput(f"{name} {what} of the twin on {self.path}: `twin ps --all` lists them.")
        return found[0]

    def _is_held(self) -> bool:
        with _looking_at(self.path / _LOCK) as held:
            return held

    def _read(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._description.read_text()))
        except (OSError, ValueError):
            return {}

    def _is_a_twins(self) -> bool:
        """Whether what is in the folder may be cleared away: it is a twin's, or there is nothing."""
        if {path.name for path in self.path.iterdir()} <= {_LOCK}:
            return True
        lock, ignores = self.path / _LOCK, self.path / _IGNORES
        if not os.path.lexists(lock) or not ignores.is_file() or ignores.is_symlink():
            return False
        return ignores.read_text(errors="replace") == _IGNORED

    def _clear(self) -> None:
        for path in self.path.iterdir():
            if path.name in (_LOCK, _IGNORES):
                continue
            if path.is_dir() and not path.is_symlink():
                _remove(path)
            else:
                path.unlink()


def _remove(folder: Path) -> None:
    """Remove *folder* with all that is in it, though folders in it are read-only or an ending process writes on."""
    deadline = time.monotonic() + _CLEARED_WITHIN
    while True:
        try:
            folder.chmod(0o700)
            for parent, folders, _ in os.walk(folder):
                for path in (Path(parent, name) for name in folders):
                    if not path.is_symlink():
                        path.chmod(0o700)
            return shutil.rmtree(folder)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)  # a process that is no child of ours


def _with_host_name(tasks: Path, name: str) -> list[Path]:
    """The folders of the tasks that have the host name *name*, in full or up to its first dot; the oldest first."""
    found = []
    for file in tasks.glob(f"*/{HOST_NAME}"):
        with contextlib.suppress(OSError):  # forgotten since
            if file.read_text().split(".")[0] == name.split(".")[0]:
                found.append((file.stat().st_mtime_ns, file.parent))
    return [folder for _, folder in sorted(found)]


@contextlib.contextmanager
def _looking_at(lock: Path) -> Iterator[bool]:
    """Whether a supervisor holds *lock*; none begins to while one looks."""
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(os.fdopen(os.open(lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)))
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            held = False
        except BlockingIOError:
            held = True
        except OSError:  # there is none
            held = False
        yield held


def _lock_within(patience: float, lock: int) -> bool:
    """Take the lock for oneself; whether it could be had within *patience* seconds."""
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)  # somebody looks whether it is held, or another supervisor has it


def _remove_what_the_dead_left(folder: Path) -> None:
    """Remove credentials and announcements of twins that were killed, and could not: nobody holds their locks."""
    for file in folder.glob("*.begins"):
        with _looking_at(file) as held, contextlib.suppress(OSError):
            if not held:
                file.unlink()
    for file in folder.glob("*.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            state = Path(json.loads(file.read_text())["state"])
            with _looking_at(state / _LOCK) as held:
                if not held:
                    file.unlink()
