"""A hosts file of its own for a program: `/etc/hosts` in a mount namespace that it alone is in.

Run as a program: `python -I -S hosts.py FILE COMMAND ...` puts FILE over `/etc/hosts` and becomes COMMAND. Root needs a
mount namespace for it, other users a user namespace around it, in which they are who they were. A machine may forbid
either: macOS has neither, and Ubuntu's `kernel.apparmor_restrict_unprivileged_userns` leaves a user namespace no mount.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["command", "text"]

_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_HOSTS = "/etc/hosts"
_WORD = re.compile(r"[^\s#\0]+")


def command(hosts: Path, words: Sequence[str]) -> list[str]:
    """The command that runs *words* with *hosts* as its `/etc/hosts`."""
    # -I -S: it needs the standard library alone, and starts in a third of the time
    return [sys.executable, "-I", "-S", __file__, str(hosts), *words]


def text(addresses: Iterable[tuple[str, str]]) -> str:
    """This machine's hosts file behind lines for *addresses*: pairs of a name and its address."""
    try:
        own = Path(_HOSTS).read_text(errors="replace")
    except OSError:
        own = "127.0.0.1 localhost\n"
    # A name that is none, as with a blank, would be several, and with an end of line another line.
    usable = [(name, address) for name, address in addresses if _WORD.fullmatch(name)]
    return "".join(f"{address} {name}\n" for name, address in usable) + own


def _enter(hosts: str) -> None:
    """Put *hosts* over `/etc/hosts` for this process and what it starts; OSError if that is not allowed."""
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS):
        _check(libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS))
        Path("/proc/self/setgroups").write_text("deny")  # without which no group can be mapped
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    _check(libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None))
    _check(libc.mount(os.fsencode(hosts), _HOSTS.encode(), None, _MS_BIND, None))


def _check(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def main() -> None:
    """Become the command."""
    hosts, *words = sys.argv[1:]
    _enter(hosts)
    # By a shell, as `Processes` starts a program that has no hosts file: one that does not exist is return code 127.
    os.execv("/bin/sh", ["sh", "-c", 'exec "$0" "$@"', *words])


if __name__ == "__main__":
    main()
